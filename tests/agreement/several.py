"""Layouts of several encoders in one folder, and of several vectors for one text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from tests.agreement.building import BERT, WIDTH, Layout, dense, library, modules_of_library, normalize
from tests.encoders import tiny_models


def _routed(*, static: bool = True, **options: Any) -> Callable[[Path, Path], None]:
    """A Router: documents by a model, queries by a table, or by another model."""

    def save(base: Path, folder: Path) -> None:
        torch.manual_seed(0)
        modules = modules_of_library()
        document = [modules.Transformer(str(tiny_models.save("bert", base))), modules.Pooling(WIDTH)]
        query = [modules.StaticEmbedding(tiny_models.tokenizer().backend_tokenizer, embedding_dim=WIDTH)]
        if not static:
            tiny_models.save("distilbert", base / "other")
            query = [modules.Transformer(str(base / "other")), modules.Pooling(WIDTH, "cls")]
        router = modules.Router({"query": query, "document": document}, **options)
        library().SentenceTransformer(modules=[router, normalize(modules)], device="cpu").save(
            str(folder), create_model_card=False
        )

    return save


def _splade(route: str) -> Callable[[Path, Path], None]:
    """A ``SparseEncoder`` whose queries are weighted by a table, without a model."""

    def save(base: Path, folder: Path) -> None:
        from sentence_transformers.sparse_encoder import modules

        torch.manual_seed(0)
        hf.BertForMaskedLM(hf.BertConfig(**BERT)).save_pretrained(base)
        tokenizer = tiny_models.tokenizer()
        tokenizer.save_pretrained(base)
        first = modules.Transformer(str(base), transformer_task="fill-mask")
        document: list[Any] = [first, modules.SpladePooling()]
        query: list[Any] = [modules.SparseStaticEmbedding(tokenizer, torch.rand(len(tokenizer)))]
        router = modules.Router({"query": query, "document": document}, default_route=route)
        library().SparseEncoder(modules=[router], device="cpu").save(str(folder), create_model_card=False)

    return save


_SPARSE: dict[str, Any] = {"kind": "SparseEncoder", "in_memory": "inconclusive"}

ROUTED: tuple[Layout, ...] = (
    Layout("Router, document", _routed(default_route="document"), in_memory="inconclusive"),
    Layout("Router, query by a table", _routed(default_route="query"), in_memory="inconclusive"),
    Layout("Router of two models", _routed(static=False, default_route="document"), in_memory="inconclusive"),
    Layout("Router without a default", _routed(), in_memory="inconclusive"),
    Layout(
        "Router by mapping", _routed(route_mappings={(None, "text"): "document"}), in_memory="inconclusive"
    ),
    Layout("Router, SPLADE without a model for queries", _splade("document"), **_SPARSE),
    Layout("Router, queries of SPLADE", _splade("query"), refused="it counts tokens", kind="SparseEncoder"),
    Layout("Router without a route", _routed(allow_empty_key=False), refused="no route is the default"),
)
"""Several encoders in one folder."""


def _multi_vector(*parts: Callable[[Any], Any], **arguments: Any) -> Callable[[Path, Path], None]:
    """A ``MultiVectorEncoder``: one vector for each token.

    Args:
        parts: modules behind the model; those that the library takes by default where there are none.
        arguments: of the module that holds the model.
    """

    def save(base: Path, folder: Path) -> None:
        saved = str(tiny_models.save("bert", base))
        torch.manual_seed(0)
        first = modules_of_library().Transformer(saved, **arguments)
        made = [first, *(part(modules_of_library()) for part in parts)] if parts else None
        kind = library().MultiVectorEncoder
        model = kind(saved, device="cpu") if made is None else kind(modules=made, device="cpu")
        model.save(str(folder), create_model_card=False)

    return save


def _mask(**options: Any) -> Callable[[Any], Any]:
    def make(modules_of_library: Any) -> Any:
        from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

        return MultiVectorMask(**options)

    return make


_OF_TOKENS = dense(16, module_input_name="token_embeddings")
_UNIT = lambda modules: modules.Normalize(module_input_name="token_embeddings")  # noqa: E731  # one of many

TOKENS: tuple[Layout, ...] = (
    Layout("MultiVectorEncoder", _multi_vector(), kind="MultiVectorEncoder"),
    Layout(
        "MultiVectorEncoder of other modules",
        _multi_vector(_OF_TOKENS, _mask(), _UNIT),
        kind="MultiVectorEncoder",
    ),
    Layout(
        "MultiVectorEncoder with lengths of tasks",
        _multi_vector(_OF_TOKENS, _mask(), _UNIT, query_length=8, document_length=20),
        kind="MultiVectorEncoder",
    ),
    Layout(
        "MultiVectorEncoder that skips words",
        _multi_vector(_OF_TOKENS, _mask(skiplist_words=["sea"]), _UNIT),
        kind="MultiVectorEncoder",
        refused="skiplist_words",
    ),
)
"""Encoders of every token; compared by the mean over its vectors."""
