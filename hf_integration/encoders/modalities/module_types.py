"""Modules of sentence-transformers by the names that its versions give their types."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.modalities.module_settings import READERS, only

MODELS = {
    # the module that a model is held by -> its task where no file says one
    "Transformer": "feature-extraction",
    "CLIPModel": "feature-extraction",
    "MLMTransformer": "fill-mask",
}
KINDS = (*MODELS, "StaticEmbedding", "Router", "Pooling", "SpladePooling", *READERS)
_PLACES = (
    "multi_vector_encoder.modules",
    "models",
    "base.modules",
    "sentence_transformer.modules",
    "sparse_encoder.models",
    "sparse_encoder.modules",
)


def _snake(kind: str) -> str:
    """The file that holds a class: ``layer_norm`` of ``LayerNorm``, ``clip_model`` of ``CLIPModel``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=CLIP)|(?<=MLM)", "_", kind).lower()


_TYPES = {
    f"sentence_transformers.{place}.{name}": kind
    for kind in KINDS
    for place in _PLACES
    for name in (kind, f"{kind}.{kind}", f"{_snake(kind)}.{kind}")
} | {f"sentence_transformers.models.{name}": "Router" for name in ("Asym", "Asym.Asym")}
_NOT_RUN: Mapping[str, str] = {
    "HierarchicalTokenPooling": "which tokens it merges may change with a rounding",
    "LogitScore": "the score is made of the next token of a causal model",
    "SparseAutoEncoder": "its sparse code depends on the largest entries, which a rounding may swap",
    "SparseStaticEmbedding": "it counts tokens, and holds no model that could be run",
    "BoW": "its tokenizer is none of transformers",
    "WordEmbeddings": "its tokenizer is none of transformers",
    "CNN": "it is trained no more, and not run here",
    "LSTM": "it is trained no more, and not run here",
}
COMPARED: Mapping[str, frozenset[str]] = {
    "SparseAutoEncoder": frozenset({"input_dim", "hidden_dim", "k", "k_aux", "normalize", "dead_threshold"}),
    # of versions that have the key, ``path`` takes the weights from a file that may be anywhere
    "SparseStaticEmbedding": frozenset({"frozen"}),
}
"""Modules that are not run and may be in a route that is not run either, as their files are all that they are
made of: tokenizer, weights and these settings."""


def kind_of(where: Path, name: Any, *, run: bool = True) -> str:
    """The kind of a module.

    Args:
        where: the file that names it, for messages.
        name: its type as the file has it.
        run: whether it is run here, and not compared alone.

    Raises:
        EncoderError: it is not known, or known and not run here.
    """
    name = str(name)
    kind = _TYPES.get(name)
    if kind is None:
        of_library = name.startswith("sentence_transformers.")
        last = str(name.rpartition(".")[2])
        if of_library and not run and last in COMPARED:
            return last
        why = _NOT_RUN.get(last) if of_library else None
        raise EncoderError(
            f"{where}: unknown module type {name!r}"
            if why is None
            else f"{where}: {name} is not supported: {why}",
            remedy=f"supported: {', '.join(KINDS)} of sentence-transformers",
        )
    return kind


def check_compared(kind: str, folder: Path) -> None:
    """Refuse a module that is not run and whose settings may make something else of its files.

    Raises:
        EncoderError: it has other settings than those of its kind.
    """
    path = folder / "config.json"
    if kind in COMPARED and path.is_file():
        only(path, read_json(path, dict), set(COMPARED[kind]))
