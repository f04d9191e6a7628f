"""The APIs that embedding servers speak: routes, request bodies, and where in an answer the embeddings are.

Sources, in the order of :data:`DIALECTS`:
https://platform.openai.com/docs/api-reference/embeddings (vLLM, Infinity and most gateways speak it),
https://huggingface.github.io/text-embeddings-inference (OpenAPI of the server),
https://docs.ollama.com/api/embed,
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md,
https://docs.cohere.com/reference/embed,
https://huggingface.co/docs/inference-providers/tasks/feature-extraction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_integration.base.errors import FlawError
from hf_integration.base.vocabulary import Api

MOST_TEXTS = 128
"""Texts of one request where the API allows more: their answer must fit into memory, however wide it is."""

ReadsEmbeddings = Callable[[Any, int], Sequence[object]]
"""From an answer and the number of texts to the embeddings as they stand there, in the order of the texts.

Raises a :class:`FlawError` unless there is exactly one for each text.
"""


@dataclass(frozen=True, kw_only=True)
class SelfDescription:
    """The route by which a server describes itself.

    Attributes:
        route: last part of its path; it takes the place of the last part of the embedding route.
        read: from the answer, and the model that was asked for, to whatever it says by names of ours.
        posts_model: whether the model is asked about in a POST; else it is a GET.
    """

    route: str
    read: Callable[[Any, str | None], Mapping[str, object]]
    posts_model: bool = False


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one API is spoken.

    Attributes:
        route: path of the embedding route below a server's root; ``{model}`` stands for the model's name.
        texts: field of the request that holds the texts.
        embeddings: finds the embeddings in an answer.
        always: fields that every request has.
        model: field for the model's name, or an empty string if a request has none.
        needs_model: whether the server does not answer without it.
        dimensions: field for the number of dimensions, or an empty string.
        most_texts: texts that one request may have.
        describes: how the server describes itself, if it does.
    """

    route: str
    texts: str
    embeddings: ReadsEmbeddings
    always: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    needs_model: bool = False
    dimensions: str = ""
    most_texts: int = MOST_TEXTS
    describes: SelfDescription | None = None

    @property
    def names_model(self) -> bool:
        """Whether a model's name is part of what is asked, in the body or in the path."""
        return bool(self.model) or "{model}" in self.route

    def request(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> dict[str, Any]:
        """The body of a request, to be sent as JSON."""
        body = {**self.always, self.texts: list(texts)}
        if self.model and model is not None:
            body[self.model] = model
        if self.dimensions and dimensions is not None:
            body[self.dimensions] = dimensions
        return body


def _listed(value: object, name: str, count: int) -> list[Any]:
    """One entry for each text.

    Raises:
        FlawError: no list, or one of another length.
    """
    if not isinstance(value, list):
        raise FlawError(name, "not a list")
    if len(value) != count:
        raise FlawError(name, f"{len(value)} embeddings for {count} texts")
    return value


def _member(value: object, name: str, place: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise FlawError(place, f"nothing is called {name!r}")
    return value[name]


def _by_index(value: object, name: str, count: int) -> list[object]:
    """Embeddings of entries that say which text they are of: some servers answer in another order."""
    found: dict[int, object] = {}
    for place, entry in enumerate(_listed(value, name, count)):
        where = f"{name}[{place}]"
        index = _member(entry, "index", where)
        if type(index) is not int or not 0 <= index < count:
            raise FlawError(where, f"its index is not one of 0 to {count - 1}")
        if index in found:
            raise FlawError(where, f"the index {index} occurs twice")
        found[index] = _member(entry, "embedding", where)
    return [found[index] for index in range(count)]


def _of_openai(answer: Any, count: int) -> Sequence[object]:
    return _by_index(_member(answer, "data", "the answer"), "data", count)


def _of_a_list(answer: Any, count: int) -> Sequence[object]:
    return _listed(answer, "the answer", count)


def _of_ollama(answer: Any, count: int) -> Sequence[object]:
    return _listed(_member(answer, "embeddings", "the answer"), "embeddings", count)


def _of_llamacpp(answer: Any, count: int) -> Sequence[object]:
    """A list for each text, within another one since the server can also give one for each token."""
    return [_unwrapped(embedding) for embedding in _by_index(answer, "the answer", count)]


def _unwrapped(embedding: object) -> object:
    if isinstance(embedding, list) and len(embedding) == 1 and isinstance(embedding[0], list):
        return embedding[0]
    return embedding


def _of_cohere(answer: Any, count: int) -> Sequence[object]:
    by_type = _member(answer, "embeddings", "the answer")
    return _listed(_member(by_type, "float", "embeddings"), "embeddings.float", count)


def _picked(answer: Any, **paths: str) -> dict[str, object]:
    """What an answer holds at these paths, with slashes between their parts; what is missing is left out."""
    found: dict[str, object] = {}
    for name, path in paths.items():
        value = answer
        for part in path.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[name] = value
    return found


def _about_openai(answer: Any, model: str | None) -> Mapping[str, object]:
    models = answer.get("data") if isinstance(answer, dict) else None
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    meant = [entry for entry in entries if entry.get("id") == model] if model else entries
    if len(meant) != 1:
        return {}
    return _picked(meant[0], model="id", root="root", owned_by="owned_by", created="created")


def _about_tei(answer: Any, _: str | None) -> Mapping[str, object]:
    return _picked(
        answer,
        model="model_id",
        revision="model_sha",
        dtype="model_dtype",
        pooling="model_type/embedding/pooling",
        longest_input="max_input_length",
        server="version",
    )


def _about_ollama(answer: Any, _: str | None) -> Mapping[str, object]:
    return _picked(
        answer,
        architecture="model_info/general.architecture",
        family="details/family",
        format="details/format",
        parameters="details/parameter_size",
        quantization="details/quantization_level",
        modified="modified_at",
    )


def _about_llamacpp(answer: Any, _: str | None) -> Mapping[str, object]:
    return _picked(answer, model="model_path", alias="model_alias", server="build_info")


DIALECTS: Mapping[Api, Dialect] = {
    "openai": Dialect(
        route="v1/embeddings",
        texts="input",
        embeddings=_of_openai,
        always={"encoding_format": "float"},  # the number's own digits; base64 is understood all the same
        model="model",
        dimensions="dimensions",
        describes=SelfDescription(route="models", read=_about_openai),
    ),
    "tei": Dialect(
        route="embed",
        texts="inputs",
        embeddings=_of_a_list,
        always={"truncate": True},
        dimensions="dimensions",
        most_texts=32,  # --max-client-batch-size, unless the server was started with more
        describes=SelfDescription(route="info", read=_about_tei),
    ),
    "ollama": Dialect(
        route="api/embed",
        texts="input",
        embeddings=_of_ollama,
        model="model",
        needs_model=True,
        dimensions="dimensions",
        describes=SelfDescription(route="show", read=_about_ollama, posts_model=True),
    ),
    "llamacpp": Dialect(
        route="embedding",
        texts="content",
        embeddings=_of_llamacpp,
        describes=SelfDescription(route="props", read=_about_llamacpp),
    ),
    "cohere": Dialect(
        route="v2/embed",
        texts="texts",
        embeddings=_of_cohere,
        # required; a document is the kind of text that most models embed without an instruction before it
        always={"input_type": "search_document", "embedding_types": ["float"]},
        model="model",
        needs_model=True,
        dimensions="output_dimension",
        most_texts=96,
    ),
    "hf": Dialect(
        route="models/{model}/pipeline/feature-extraction",
        texts="inputs",
        embeddings=_of_a_list,
        most_texts=32,  # text-embeddings-inference is what answers there
    ),
}
