"""How converters make integers of weights, computed again: equal weights give equal integers."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_integration.converted.runtime import Array, Integers

Maker = Callable[[Array], tuple[Array, Array, Array | None]]
"""Makes integers, scales and zero points of float32 weights."""

Rule = tuple[str, Maker]
"""A rule in words, and what makes integers by it."""

EACH = ", each channel by itself"
BY_ROWS = "int8, each row by itself"

_RANGES: Mapping[str, tuple[tuple[str, bool, int, int], ...]] = {
    "int8": (
        ("symmetric", True, -127, 127),
        ("in a reduced range, symmetric", True, -64, 64),
        ("asymmetric", False, -128, 127),
        ("in a reduced range, asymmetric", False, -64, 64),
    ),
    "uint8": (
        ("asymmetric", False, 0, 255),
        ("in a reduced range, asymmetric", False, 0, 127),
        ("symmetric", True, 0, 255),
        ("in a reduced range, symmetric", True, 0, 127),
    ),
}
"""Of onnxruntime: what it does by default comes first."""


TORCHAO: Mapping[str, bool] = {
    "Int8WeightOnlyConfig": False,
    "Int8DynamicActivationInt8WeightConfig": True,
}
"""Configurations of torchao that are known here, and whether they make integers of activations as well."""


def rules(held: Integers) -> Iterator[Rule]:
    """The rules by which somebody may have made these integers; none for methods that are not known here."""
    if held.method == "onnx":
        axes = (None,) if held.scale.size == 1 else (1, 0)
        for (words, symmetric, low, high), axis in product(_RANGES.get(held.kind, ()), axes):
            each = "" if axis is None else EACH
            kind = np.int8 if held.kind == "int8" else np.uint8
            yield f"{held.kind} {words}{each}", _linear(symmetric, low, high, axis, kind)
        return
    family, _, kind_of_it = held.method.partition(" ")
    if family in _MAKERS:
        words = kind_of_it or BY_ROWS
        yield words, rule_of(family, words)


def rule_of(family: str, words: str) -> Maker:
    """What makes integers of a tensor as the encoder has it, ``(out, in)``, by a rule in words.

    Args:
        family: the first word of the method: ``onnx``, ``ctranslate2``, ``torchao`` or ``gguf``.
        words: as :func:`rules` gives them.
    """
    if family != "onnx":
        return _MAKERS[family](words)
    kind, _, said = words.removesuffix(EACH).partition(" ")
    _, symmetric, low, high = next(row for row in _RANGES[kind] if row[0] == said)
    axis = 0 if words.endswith(EACH) else None
    return _linear(symmetric, low, high, axis, np.int8 if kind == "int8" else np.uint8)


def integer_digest(values: Array, scale: Array, zero: Array | None) -> bytes:
    """SHA-256 of integers with what they mean: how the scales are laid out says nothing.

    Args:
        values: the integers, whose type and shape count.
        scale: of all, or one for each channel.
        zero: the integer that means 0, or one for each channel; 0 if there is none.
    """
    state = hashlib.sha256(f"{values.dtype.name} {values.shape}\0".encode())
    state.update(np.ascontiguousarray(values).tobytes())
    state.update(b"\0" + np.ascontiguousarray(scale, dtype="<f4").tobytes())
    if zero is not None and bool(np.any(zero)):
        state.update(b"\0" + np.ascontiguousarray(zero, dtype="<i4").tobytes())
    return state.digest()


def follows(held: Integers, weights: Array, rule: Rule) -> bool:
    """Whether a rule makes exactly these integers, scales and zero points of weights."""
    try:
        values, scale, zero = rule[1](weights)
    except NotImplementedError:  # a type that the library reads and does not write
        return False
    if zero is None or held.zero_point is None:
        alike = not any(np.any(part) for part in (zero, held.zero_point) if part is not None)
    else:
        alike = _same(zero, held.zero_point)
    return alike and _same(scale, held.scale) and _same(values, held.values)


def _same(one: Array, other: Array) -> bool:
    return bool(one.size == other.size and (one.reshape(-1) == other.reshape(-1)).all())


def _linear(
    symmetric: bool, low: int, high: int, axis: int | None, kind: type[np.integer]
) -> Callable[[Array], tuple[Array, Array, Array | None]]:
    """As ``onnxruntime.quantization.quant_utils``: scales in float64 are rounded to float32."""

    def quantise(weights: Array) -> tuple[Array, Array, Array | None]:
        others = None if axis is None else tuple(place for place in range(weights.ndim) if place != axis)
        least = np.minimum(weights.min(axis=others, keepdims=True), np.float32(0))
        most = np.maximum(weights.max(axis=others, keepdims=True), np.float32(0))
        if symmetric:
            most = np.maximum(np.abs(least), np.abs(most))
            least = -most
        exact = (most.astype(np.float64) - least.astype(np.float64)) / np.float64(high - low)
        tiny = exact < np.finfo(np.float32).tiny
        divisor = np.where(tiny, 1.0, exact)
        zero = np.round((low + high) / 2) if symmetric else np.round(low - least / divisor)
        zero = np.where(tiny, 0, zero).astype(kind)
        scale = divisor.astype(np.float32)
        whole = np.iinfo(kind)
        values = np.clip((weights / scale).round() + zero, whole.min, whole.max).astype(kind)
        return values, scale, zero

    return quantise


def _by_rows(weights: Array) -> tuple[Array, Array, Array | None]:
    """As ``ctranslate2.specs.model_spec``: a scale by which each row is multiplied."""
    most = np.abs(weights).max(axis=1)
    most[most == 0] = 127.0
    most = np.maximum(most, np.float32(127) / np.finfo(np.float32).max)
    scale = (np.float32(127.0) / most).astype(np.float32)
    return np.rint(weights * scale[:, None]).astype(np.int8), scale, None


def by_torchao(module: nn.Module, kind: str) -> None:
    """Make integers of a module's linear layers in place.

    Args:
        module: the module.
        kind: one of :data:`TORCHAO`.
    """
    from torchao import quantization

    quantization.quantize_(module, getattr(quantization, kind)())


def _torchao(kind: str) -> Maker:
    """As torchao does, by torchao."""

    def quantise(weights: Array) -> tuple[Array, Array, Array | None]:
        layer = nn.Linear(weights.shape[1], weights.shape[0], bias=False)
        layer.weight = nn.Parameter(torch.tensor(weights), requires_grad=False)
        by_torchao(layer, kind)
        made: Any = layer.weight
        zero = getattr(made, "zero_point", None)
        return made.qdata.numpy(), made.scale.float().numpy(), None if zero is None else zero.numpy()

    return quantise


def _blocks(kind: str) -> Maker:
    """As the package ``gguf`` does; scales are among the bytes."""

    def quantise(weights: Array) -> tuple[Array, Array, Array | None]:
        from gguf import GGMLQuantizationType, quants

        values = quants.quantize(np.ascontiguousarray(weights), GGMLQuantizationType[kind])
        return values, np.ones(1, dtype=np.float32), None

    return quantise


_MAKERS: Mapping[str, Callable[[str], Maker]] = {
    "ctranslate2": lambda _: _by_rows,
    "torchao": _torchao,
    "gguf": _blocks,
}
