"""In which order modules of sentence-transformers may follow a model, and what that makes of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.modalities.module_settings import (
    READERS,
    SCORES,
    SENTENCE,
    TOKENS,
    read_module,
    read_pooling,
    read_splade,
)
from hf_integration.encoders.modalities.tail_modules import ModuleSpec

Kind = Literal["pooled", "projected", "static", "scores", "sparse", "tokens"]
"""How an encoder becomes one vector: by pooling its tokens, by itself, by a table of tokens, as scores of a
pair of texts, as weights of the words of its vocabulary, as the mean over vectors that users get singly."""

_KIND_OF: Mapping[str, Kind] = {TOKENS: "pooled", SENTENCE: "projected", SCORES: "scores"}
_FIT: Mapping[Kind, tuple[str, str]] = {
    **dict.fromkeys(("pooled", "projected", "static"), ("SentenceTransformer", "feature-extraction")),
    "scores": ("CrossEncoder", "sequence-classification"),
    "sparse": ("SparseEncoder", "fill-mask"),
    "tokens": ("MultiVectorEncoder", "feature-extraction"),
}
"""What each kind is loaded as, and by which task."""

_POOLINGS = {"Pooling": "SentenceTransformer", "SpladePooling": "SparseEncoder"}


def order(where: Path, kinds: Sequence[str]) -> EncoderError:
    """The refusal of modules that do not follow each other so in any encoder.

    Args:
        where: the file that lists them.
        kinds: what they are.
    """
    return EncoderError(
        f"{where}: modules {', '.join(kinds) or 'none'}, in this order or of this kind, are not supported",
        remedy="supported: a model, modules on its tokens, its pooling, modules on the embedding",
    )


class Chain:
    """The modules behind a model, in the words of this package.

    Args:
        where: the file that lists them, for messages.
        kinds: what they are, the model's own first.
        gives: what the model gives.
        model_type: what the library loads them as.

    Attributes:
        modes: pooling modes.
        include_prompt: whether the prompt's tokens are pooled.
        splade: see :class:`~hf_integration.encoders.modalities.sentence_modules.SentenceModules`.
        before: modules between the model and the pooling, by the name that their tensors begin with.
        tail: those behind it.
        files: their settings, file by file.
    """

    def __init__(self, where: Path, kinds: Sequence[str], *, gives: str, model_type: str) -> None:
        self._where, self._kinds, self._model_type = where, kinds, model_type
        self._kind: Kind = "static" if kinds[0] == "StaticEmbedding" else _KIND_OF[gives]
        self._pooled = gives != TOKENS
        self.modes: tuple[str, ...] = ()
        self.include_prompt = True
        self.splade = ("", "")
        self.before: dict[str, ModuleSpec] = {}
        self.tail: dict[str, ModuleSpec] = {}
        self.files: dict[str, Mapping[str, Any]] = {
            "modules.json": {str(place): kind for place, kind in enumerate(kinds)}
        }

    def add(self, place: int, kind: str, folder: Path) -> None:
        """Read the next module.

        Args:
            place: where it is in the list.
            kind: what it is.
            folder: its folder.

        Raises:
            EncoderError: it may not be there, or its settings are not supported.
        """
        if kind in _POOLINGS:
            self._pool(kind, folder)
            return
        read = read_module(kind, folder) if kind in READERS else None
        if read is None or read.of_tokens == self._pooled or self._kind in ("scores", "sparse"):
            raise order(self._where, self._kinds)
        if read.behaviour:
            self.files[f"{place}_{kind}/config.json"] = read.behaviour
        if read.spec is not None:
            (self.tail if self._pooled else self.before)[f"{place}_{kind}"] = read.spec

    def _pool(self, kind: str, folder: Path) -> None:
        if self._pooled or _POOLINGS[kind] != self._model_type:
            raise order(self._where, self._kinds)
        self._pooled = True
        settings: Mapping[str, Any]
        if kind == "Pooling":
            self.modes, settings = read_pooling(folder)
            self.include_prompt = bool(settings["include_prompt"])
        else:
            self.splade, settings = read_splade(folder)
            self._kind = "sparse"
        self.files[f"1_{kind}/config.json"] = settings

    def end(self, task: str, *, hands_on_layers: bool) -> Kind:
        """What all modules make of the model.

        Args:
            task: what the model is loaded for.
            hands_on_layers: whether modules see the hidden states of every layer of the model.

        Raises:
            EncoderError: no encoder that is known.
        """
        if self._model_type == "MultiVectorEncoder" and not self._pooled and "MultiVectorMask" in self._kinds:
            self._kind, self.modes, self._pooled = "tokens", ("mean",), True
        fits = (self._model_type, task) == _FIT[self._kind]
        if not fits or not self._pooled or ("MultiVectorMask" in self._kinds) != (self._kind == "tokens"):
            raise order(self._where, self._kinds)
        if "WeightedLayerPooling" in self._kinds and not hands_on_layers:
            raise EncoderError(
                f"{self._where}: WeightedLayerPooling does nothing, as config.json does not set "
                "output_hidden_states",
                remedy="set it to true, or leave the module out",
            )
        return self._kind
