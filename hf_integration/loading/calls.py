"""The functions that encoders are loaded by or asked through, and what a call of each says.

A row names the function that all ways of a library lead through: ``pipeline`` and ``AutoModel`` end in
``PreTrainedModel.from_pretrained``, and ``timm.create_model`` in two functions below it.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hf_integration.base.vocabulary import is_repo_id, same_repo

COMMIT = re.compile(r"[0-9a-f]{40}")

_SNAPSHOT = re.compile(r"/models--(?:([^/]+?)--)?([^/]+)/snapshots/([0-9a-f]{40})(/.*)?")
"""Where the Hub's cache keeps the files of a commit, the folder within them behind it."""

ORGANISATION = "sentence-transformers"
"""Whose repository a name without an organisation means to the library of that name."""


@dataclass(frozen=True)
class Place:
    """Where an encoder is: in a folder or file, in a Hub repository, or behind a server.

    Attributes:
        path: absolute path of a folder or file; ``None`` for what is asked for by the name of a repository.
        repo: Hub repo id, also of a path in the Hub's cache.
        commit: its commit, where it is known.
        url: of a server, or of what is downloaded from none of the Hub's repositories.
        model: what the server is asked for, or what is in memory.
        part: folder within the repository, where not the whole of it is meant.
    """

    path: str | None = None
    repo: str | None = None
    commit: str | None = None
    url: str | None = None
    model: str | None = None
    part: str | None = None

    def holds(self, other: "Place") -> bool:
        """Whether another place is this one, or a part of it."""
        if self.path is not None:
            return other.path is not None and (
                other.path == self.path or other.path.startswith(self.path + os.sep)
            )
        return same_repo(self.repo, other.repo) and self.part in (None, other.part)


@dataclass(frozen=True, eq=False)
class Call:
    """What one call says, before it is made.

    Attributes:
        api: what was called, as its users write it.
        reference: what it was called with.
        place: what that means.
        revision: of a Hub repository, as the caller says it; ``None`` leaves it to the Hub.
        options: the call's arguments by name.
        is_http: whether a server is asked, and nothing is loaded.
    """

    api: str
    reference: str
    place: Place
    revision: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_http: bool = False


Read = Callable[[Mapping[str, Any]], Call | None]
"""The arguments of a call by name -> what it says; ``None`` for one that loads nothing by name."""


@dataclass(frozen=True)
class Point:
    """One function that encoders are loaded by or asked through.

    Attributes:
        module: the function is wrapped as soon as this module was imported.
        owner: class in that module; empty for a function of the module itself.
        name: of the function.
        read: what a call says.
        observed: whether an observer is told.
        enforced: whether enforcement is told.
    """

    module: str
    owner: str
    name: str
    read: Read
    observed: bool = True
    enforced: bool = False


def place_of(reference: str, commit: str | None = None) -> Place:
    """What a reference means to the libraries: a folder or file on this machine, else a Hub repository."""
    if os.path.exists(reference):  # noqa: PTH110
        path = os.path.realpath(reference)
        if os.path.isfile(reference):  # noqa: PTH113  # a file of the cache is a link that has the name
            folder, name = os.path.split(os.path.abspath(reference))  # noqa: PTH100
            path = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
        found = _SNAPSHOT.search(path.replace(os.sep, "/"))
        if found is None:
            return Place(path)
        return Place(path, f"{found[1]}/{found[2]}" if found[1] else found[2], found[3])
    return Place(repo=reference, commit=commit) if is_repo_id(reference) else Place(model=reference)


def text_of(value: Any) -> str | None:
    """A name or path as text; anything else is none."""
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None


def resolved(revision: Any) -> str | None:
    """The commit that the Hub's client found for a revision already, or that the revision is."""
    commit = getattr(revision, "resolved", revision)
    return str(commit) if isinstance(commit, str) and COMMIT.fullmatch(commit) else None


def _asked(revision: Any) -> str | None:
    said = getattr(revision, "initial", revision)
    return None if said is None else str(said)


def _from_pretrained(arguments: Mapping[str, Any]) -> Call | None:
    reference = text_of(arguments.get("pretrained_model_name_or_path"))
    if not reference:
        return None
    place = place_of(
        reference, resolved(arguments.get("revision")) or resolved(arguments.get("_commit_hash"))
    )
    if part := text_of(arguments.get("subfolder")):
        path = None if place.path is None else os.path.join(place.path, part)  # noqa: PTH118
        place = Place(path, place.repo, place.commit, part=None if path else part)
    return Call("from_pretrained", reference, place, _asked(arguments.get("revision")), arguments)


def _remote_code(arguments: Mapping[str, Any]) -> Call | None:
    reference = text_of(arguments.get("pretrained_model_name_or_path"))
    return None if not reference else Call("trust_remote_code", reference, place_of(reference))


def _sentence(api: str) -> Read:
    def read(arguments: Mapping[str, Any]) -> Call | None:
        reference = text_of(arguments.get("model_name_or_path") or arguments.get("model_name"))
        if not reference:
            return None
        place = place_of(reference)
        if place.path is None and "/" not in reference and (organisation := _organisation(api, arguments)):
            place = place_of(f"{organisation}/{reference}")
        return Call(api, reference, place, _asked(arguments.get("revision")), arguments)

    return read


def _organisation(api: str, arguments: Mapping[str, Any]) -> str | None:
    """Whose repository that library takes a name without an organisation for."""
    usual = ORGANISATION if api == "SentenceTransformer" else None
    said = getattr(arguments.get("self"), "default_huggingface_organization", usual)
    library = sys.modules.get("sentence_transformers.base.model")
    plain = getattr(library, "ORIGINAL_TRANSFORMER_MODELS", ())  # as the Hub has them: bert-base-uncased
    return None if str(arguments.get("model_name_or_path")).lower() in plain else text_of(said)


def _timm(arguments: Mapping[str, Any]) -> Call | None:
    model = arguments.get("model")
    said: Any = arguments.get("pretrained_cfg") or getattr(model, "pretrained_cfg", None) or {}
    said = said if isinstance(said, Mapping) else vars(said)
    name, file, url = (said.get(key) for key in ("hf_hub_id", "file", "url"))
    if said.get("state_dict") and said.get("source") not in ("hf-hub", "local-dir"):
        return None
    if file and said.get("source") != "hf-hub":
        return Call("timm.create_model", str(file), place_of(str(file)), None, arguments)
    if name:
        repo, _, revision = str(name).partition("@")
        return Call("timm.create_model", repo, place_of(repo), revision or None, arguments)
    return Call("timm.create_model", str(url), Place(url=str(url)), None, arguments) if url else None


def _timm_checkpoint(arguments: Mapping[str, Any]) -> Call | None:
    file = text_of(arguments.get("checkpoint_path"))
    return None if not file else Call("timm.create_model", file, place_of(file), None, arguments)


def _onnx(arguments: Mapping[str, Any]) -> Call | None:
    given = arguments.get("path_or_bytes")
    if isinstance(given, bytes):
        import hashlib

        name = f"{len(given)} bytes in memory, sha256:{hashlib.sha256(given).hexdigest()}"
        return Call("onnxruntime.InferenceSession", name, Place(model=name))
    file = text_of(given)
    return None if not file else Call("onnxruntime.InferenceSession", file, place_of(file))


def _http(api: str, url: Callable[[Any], Any]) -> Read:
    def read(arguments: Mapping[str, Any]) -> Call | None:
        model = text_of(arguments.get("model")) or "the client's default"
        return Call(api, model, Place(url=_shown(url(arguments["self"])), model=model), is_http=True)

    return read


def _voyage(arguments: Mapping[str, Any]) -> Call | None:
    if "embeddings" not in str(arguments.get("url")):
        return None
    given = arguments.get("params")
    model = text_of(given.get("model") if isinstance(given, Mapping) else None) or "the client's default"
    place = Place(url=_shown(arguments["self"].base_url), model=model)
    return Call("Voyage", model, place, is_http=True)


def _inference(arguments: Mapping[str, Any]) -> Call | None:
    client = arguments["self"]
    model = text_of(arguments.get("model")) or text_of(client.model)
    if model and model.startswith(("http://", "https://")):
        place = Place(url=_shown(model))
    else:
        provider = getattr(client, "provider", None) or "auto"
        place = Place(url=f"provider {provider}", model=model or "the provider's default")
    return Call("InferenceClient", model or "the provider's default", place, is_http=True)


def _shown(url: Any) -> str:
    """A URL without what must not be shown: a user name, a password, a query."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(str(url))
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    except ValueError:
        return "an address that is none"


def _cohere_address(client: Any) -> Any:
    return client._client_wrapper.get_base_url()


def _points() -> Iterator[Point]:
    models, code = "transformers.modeling_utils", "transformers.dynamic_module_utils"
    yield Point(models, "PreTrainedModel", "from_pretrained", _from_pretrained, enforced=True)
    yield Point(code, "", "get_cached_module_file", _remote_code, observed=False, enforced=True)
    for name in ("SentenceTransformer", "CrossEncoder", "SparseEncoder", "MultiVectorEncoder"):
        yield Point("sentence_transformers", name, "__init__", _sentence(name), enforced=True)
    yield Point("timm.models._builder", "", "load_pretrained", _timm)
    yield Point("timm.models._factory", "", "load_checkpoint", _timm_checkpoint)
    sessions = "onnxruntime.capi.onnxruntime_inference_collection"
    yield Point(sessions, "InferenceSession", "__init__", _onnx)
    for name in ("Embeddings", "AsyncEmbeddings"):
        read = _http("OpenAI", lambda resource: resource._client.base_url)
        yield Point("openai.resources.embeddings", name, "create", read)
    for module, name in (
        ("cohere.client", "Client"),  # sends its batches from threads of its own
        ("cohere.base_client", "BaseCohere"),
        ("cohere.v2.client", "V2Client"),
        ("cohere.raw_base_client", "RawBaseCohere"),
        ("cohere.v2.raw_client", "RawV2Client"),
    ):
        for owner in (name, f"Async{name}"):
            yield Point(module, owner, "embed", _http("Cohere", _cohere_address))
    for name in ("request", "arequest"):
        yield Point("voyageai.api_resources.api_requestor", "APIRequestor", name, _voyage)
    for name in ("feature_extraction", "sentence_similarity"):
        yield Point("huggingface_hub.inference._client", "InferenceClient", name, _inference)
        asynchronous = "huggingface_hub.inference._generated._async_client"
        yield Point(asynchronous, "AsyncInferenceClient", name, _inference)


POINTS: tuple[Point, ...] = tuple(_points())
