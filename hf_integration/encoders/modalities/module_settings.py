"""Settings of single modules of sentence-transformers, each read from its folder.

A key that is not known here could change the embedding, so it is refused rather than ignored.
The keys are those of sentence-transformers 2 to 6.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.json_values import condensed, read_json
from hf_integration.encoders.modalities.tail_modules import (
    ACTIVATIONS,
    Dense,
    LayerNorm,
    ModuleSpec,
    Normalize,
)
from hf_integration.encoders.modalities.token_modules import WeightedLayerPooling, WordWeights

# In the order in which sentence-transformers concatenates them.
_LEGACY_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
MODES = tuple(_LEGACY_MODES.values())

_WIDTHS = ("embedding_dimension", "word_embedding_dimension")
"""The key of a width as version 6 writes it, and as older ones did."""

TOKENS, SENTENCE, SCORES = "token_embeddings", "sentence_embedding", "scores"
"""What a module reads and writes: vectors of tokens, of the whole text, and scores."""


@dataclass(frozen=True)
class ReadModule:
    """One module around a model.

    Attributes:
        spec: how it is built; ``None`` for one that does nothing outside of training.
        of_tokens: whether it works on the vectors of tokens, before the pooling.
        behaviour: its settings with every default.
    """

    spec: ModuleSpec | None
    of_tokens: bool
    behaviour: Mapping[str, Any]


def only(path: Path, found: Mapping[str, Any], known: set[str]) -> None:
    """Refuse keys that are not known.

    Raises:
        EncoderError: there is one.
    """
    if unknown := sorted(set(found) - known):
        raise EncoderError(
            f"{path}: unknown key {unknown[0]!r}", remedy="it may change the embedding, so it is not ignored"
        )


def fixed(path: Path, found: Mapping[str, Any], allowed: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse values that make another encoder than the one that is read here.

    Args:
        path: the file, for messages.
        found: its content.
        allowed: key -> values that do not, the default first.

    Raises:
        EncoderError: there is one.
    """
    for key, values in allowed.items():
        if key in found and found[key] not in values:
            raise EncoderError(
                f"{path}: {key} {found[key]!r} is not supported", remedy=f"supported: {values[0]!r}"
            )


def width_in(path: Path, config: Mapping[str, Any], key: str, *, least: int = 1) -> int:
    """A whole number of a size that encoders have.

    Raises:
        EncoderError: it is none.
    """
    value = config.get(key)
    if type(value) is not int or not least <= value < 2**20:
        raise EncoderError(f"{path}: {key} {value!r} is no width")
    return value


def activation_in(path: Path, config: Mapping[str, Any], default: str) -> str:
    """The name of an activation that is known.

    Raises:
        EncoderError: it is not.
    """
    name = config.get("activation_function", default)
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise EncoderError(f"{path}: unknown activation function {name!r}")
    return name


def read_pooling(folder: Path) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Pooling modes in their order, and the settings.

    Raises:
        EncoderError: an unknown mode or key.
    """
    path = folder / "config.json"
    config = read_json(path, dict)
    only(path, config, {*_WIDTHS, "pooling_mode", "include_prompt", *_LEGACY_MODES})
    mode = config.get("pooling_mode")
    if mode is None:
        modes = tuple(mode for key, mode in _LEGACY_MODES.items() if config.get(key)) or ("mean",)
    else:
        modes = tuple(mode) if isinstance(mode, list) and mode else (mode,)
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise EncoderError(
            f"{path}: unknown pooling mode {unknown[0]!r}", remedy=f"supported: {', '.join(MODES)}"
        )
    behaviour = {
        "pooling_mode": list(modes),
        "embedding_dimension": config.get("embedding_dimension", config.get("word_embedding_dimension")),
        "include_prompt": config.get("include_prompt", True),
    }
    return modes, behaviour


def read_splade(folder: Path) -> tuple[tuple[str, str], Mapping[str, Any]]:
    """How the scores of words are pooled over the tokens, and what is applied to them; and the settings.

    Raises:
        EncoderError: an unknown key or value.
    """
    path = folder / "config.json"
    config = read_json(path, dict)
    known = {"pooling_strategy": ("max", "sum"), "activation_function": ("relu", "log1p_relu")}
    only(path, config, {*known, *_WIDTHS})
    fixed(path, config, known)
    found = {key: config.get(key, values[0]) for key, values in known.items()}
    return (found["pooling_strategy"], found["activation_function"]), found


def read_module(kind: str, folder: Path) -> ReadModule:
    """Settings of a module that is neither the model nor the pooling.

    Args:
        kind: a key of ``READERS``.
        folder: its folder.

    Raises:
        EncoderError: an unknown key, or a value that is not supported.
    """
    return READERS[kind](folder / "config.json")


def _dense(path: Path) -> ReadModule:
    config = read_json(path, dict)
    known = {"in_features", "out_features", "bias", "activation_function", "use_residual"}
    of_tokens = _reads(path, config, known)
    activation = activation_in(path, config, "torch.nn.Tanh")
    sizes = config.get("in_features"), config.get("out_features")
    if not all(type(size) is int and 0 < size < 2**20 for size in sizes):
        raise EncoderError(f"{path}: in_features and out_features {sizes!r} are no widths")
    bias, residual = bool(config.get("bias", True)), bool(config.get("use_residual", False))

    def build() -> Dense:
        return Dense(*sizes, bias=bias, activation=ACTIVATIONS[activation](), use_residual=residual)

    behaviour = {
        "in_features": sizes[0],
        "out_features": sizes[1],
        "bias": bias,
        "activation_function": ACTIVATIONS[activation].__name__,
    }
    spec = ModuleSpec(path.parent, build, width=sizes[1])
    return ReadModule(spec, of_tokens, behaviour | ({"use_residual": True} if residual else {}))


def _normalize(path: Path) -> ReadModule:
    config = read_json(path, dict) if path.is_file() else {}  # versions before 6 write none
    return ReadModule(ModuleSpec(None, Normalize), _reads(path, config, set()), {})


def _reads(path: Path, config: Mapping[str, Any], known: set[str]) -> bool:
    """Whether a module reads and writes the vectors of tokens, and not the embedding."""
    only(path, config, {*known, "module_input_name", "module_output_name"})
    reads = config.get("module_input_name", SENTENCE)
    fixed(path, config, {"module_input_name": (SENTENCE, TOKENS), "module_output_name": (reads, None)})
    return bool(reads == TOKENS)


def _layer_norm(path: Path) -> ReadModule:
    config = read_json(path, dict)
    only(path, config, {"dimension"})
    width = width_in(path, config, "dimension")
    return ReadModule(ModuleSpec(path.parent, partial(LayerNorm, width)), False, {"dimension": width})


def _dropout(path: Path) -> ReadModule:
    config = read_json(path, dict)
    only(path, config, {"dropout"})  # which share is dropped in training; nothing is outside of it
    return ReadModule(None, False, {})


def _word_weights(path: Path) -> ReadModule:
    config = read_json(path, dict)
    only(path, config, {"vocab", "word_weights", "unknown_word_weight"})
    words, weights, other = (
        config.get("vocab"),
        config.get("word_weights"),
        config.get("unknown_word_weight", 1),
    )
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise EncoderError(f"{path}: vocab is no list of words")
    if not isinstance(weights, dict) or not all(_is_number(weight) for weight in (other, *weights.values())):
        raise EncoderError(f"{path}: word_weights and unknown_word_weight are no numbers")
    found = tuple(float(weights.get(word, weights.get(word.lower(), other))) for word in words)
    # the library takes them from there, and never reads the file with the same
    return ReadModule(ModuleSpec(None, partial(WordWeights, found)), True, {"weights": condensed(found)})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _layer_mean(path: Path) -> ReadModule:
    config = read_json(path, dict)
    only(path, config, {*_WIDTHS, "layer_start", "num_hidden_layers"})
    layers = width_in(path, {"num_hidden_layers": 12, **config}, "num_hidden_layers")
    start = width_in(path, {"layer_start": 4, **config}, "layer_start", least=0)
    if start > layers:
        raise EncoderError(f"{path}: layer_start {start} is behind the last of {layers} layers")
    behaviour = {"layer_start": start, "num_hidden_layers": layers}
    build = partial(WeightedLayerPooling, layers, start)
    return ReadModule(ModuleSpec(path.parent, build), True, behaviour)


def _mask(path: Path) -> ReadModule:
    config = read_json(path, dict)
    fixed_keys: dict[str, tuple[Any, ...]] = {
        "skiplist_words": ([],),
        "keep_only_token_ids": (None,),
    }  # which tokens are left out
    only(path, config, {*fixed_keys, "skiplist_tasks"})
    fixed(path, config, fixed_keys)
    return ReadModule(None, True, {})


READERS: Mapping[str, Callable[[Path], ReadModule]] = {
    "Dense": _dense,
    "Normalize": _normalize,
    "LayerNorm": _layer_norm,
    "Dropout": _dropout,
    "WordWeights": _word_weights,
    "WeightedLayerPooling": _layer_mean,
    "MultiVectorMask": _mask,
}
"""Modules around a model and its pooling, with what reads the settings in their folder."""
