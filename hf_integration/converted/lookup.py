"""The tensors of a trusted copy, found by the numbers that a file holds of them."""

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from hf_integration.converted.quantising import follows, rules
from hf_integration.converted.runtime import Array, Integers
from hf_integration.encoders.identity.stored_tensors import same_name
from hf_integration.encoders.running.torch_encoder import TorchEncoder

SHORT = 16
"""Numbers up to which an array is not taken for a piece of several tensors: it would fit by chance."""


def _ort_half(least: float) -> Callable[[Array], Array]:
    """Rounding to float16 as onnxruntime does it: no number becomes 0."""

    def rounded(values: Array) -> Array:
        kept = np.where((values > 0) & (values < least), least, values)
        kept = np.where((kept < 0) & (kept > -least), -least, kept)
        return np.clip(kept, -65504, 65504).astype(np.float16).astype(np.float32)

    return rounded


def _half(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _brain(values: Array) -> Array:
    found: Array = torch.tensor(values).bfloat16().float().numpy()
    return found


ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "stored": lambda values: values,
    "float16": _half,
    "bfloat16": _brain,
    # Of its releases: 1e-7 was the least positive number for years.
    "float16 as onnxruntime rounds": _ort_half(5.96e-08),
    "float16 as older onnxruntime rounds": _ort_half(1e-7),
}
"""What weights may have been rounded to: the name -> float32 in, float32 out."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """Integers of a file, and what they are.

    Attributes:
        held: the integers.
        names: tensors that they are made of, or that come nearest.
        rule: that makes them of these; ``None`` if none does.
        may_be: whether another rule could make them of these.
        numbers: what they mean, tensor by tensor, where a rule makes them.
    """

    held: Integers
    names: tuple[str, ...]
    rule: str | None
    may_be: bool
    numbers: Mapping[str, Array]


class Lookup:
    """Finds tensors by content, piece by piece, by nearness, by name and by shape.

    Args:
        encoder: the trusted copy.

    Attributes:
        used: names of the tensors that can influence the embedding.
        tail: names of those that follow the pooling.
        known: float32 arrays without axes of one, by name: also those outside the embedding path, and what
            the model computes from its settings and keeps, such as rotary frequencies, as exporters do.
    """

    def __init__(self, encoder: TorchEncoder) -> None:
        tensors = floats_of(encoder)
        self.known = {name: as_array(tensor) for name, tensor in tensors.items()}
        self.names = frozenset(tensors)
        self.used = self.names & encoder.tensors().keys()
        self.tail = frozenset(name for name, _ in encoder.parts[0].tail.named_parameters())
        self._contents: dict[str, dict[bytes, list[tuple[str, str]]]] = {}
        self._rows: dict[str, dict[bytes, list[tuple[str, Array]]]] = {}

    def equal(self, values: Array) -> tuple[str, str, frozenset[str]] | None:
        """How values are a tensor: turned round or not, rounded to what, and all names with these values."""
        content = _content(values)
        for rounding in ROUNDINGS:
            if found := self._contents_of(rounding).get(content):
                return found[0][1], rounding, frozenset(name for name, _ in found)
        return None

    def together(self, values: Array) -> tuple[str, frozenset[str]] | None:
        """Tensors that, one behind the other, are these values; or one whose first rows they are."""
        if values.size <= SHORT:
            return None
        for rounding in ROUNDINGS:
            for turned in (values, values.T) if values.ndim == 2 else (values,):
                names, place = set[str](), 0
                while place < len(turned):
                    piece = self._piece(turned[place:], rounding)
                    if piece is None:
                        break
                    names.add(piece[0])
                    place += piece[1]
                else:
                    return rounding, frozenset(names)
        return None

    def integers(self, entry: Integers) -> Nearest:
        """What integers are: by a rule made of tensors, or only near to some."""
        numbers = bare(entry.numbers)
        ways = [self.nearest(numbers)]
        if numbers.ndim == 2:
            ways.append(self.nearest(numbers.T))
        away, names = min(ways, key=lambda way: way[0])
        if not names:
            return Nearest(entry, (), None, True, {})
        weights = np.concatenate([self.known[name] for name in names])
        turned = away != ways[0][0]
        weights = np.ascontiguousarray(weights.T if turned else weights).reshape(entry.numbers.shape)
        for rule in rules(entry):
            if follows(entry, weights, rule):
                return Nearest(entry, tuple(names), rule[0], True, self._parts(numbers, names, turned=turned))
        return Nearest(entry, tuple(names), None, _within_a_step(entry, weights), {})

    def _parts(self, numbers: Array, names: Collection[str], *, turned: bool) -> Mapping[str, Array]:
        """What belongs to each of the tensors that are one behind the other."""
        rows, parts, place = numbers.T if turned else numbers, {}, 0
        for name in names:
            size = len(self.known[name])
            parts[name] = rows[place : place + size]
            place += size
        return parts

    def others_differ(self, by_rule: int, of: int, *, named: bool) -> bool:  # noqa: ARG002
        """See :meth:`Tensors.others_differ`: every rule was tried, and converters make all by one or two."""
        return by_rule > 0

    def nearest(self, numbers: Array) -> tuple[float, list[str]]:
        """Tensors that, one behind the other, come nearest to numbers, and how near their first rows are."""
        away, names, place = 0.0, list[str](), 0
        while place < len(numbers):
            rest = numbers[place:]
            fitting = {
                name: _difference(_start(array), _start(rest))
                for name, array in self.known.items()
                if array.ndim == numbers.ndim
                and array.ndim
                and array.shape[1:] == rest.shape[1:]
                and len(array) <= len(rest)
                and name not in names
            }
            if not fitting:
                return math.inf, []
            names.append(min(fitting, key=fitting.__getitem__))
            away += fitting[names[-1]]
            place += len(self.known[names[-1]])
        return away, names

    def differing(self, values: Array) -> tuple[list[str], list[str]]:
        """Several tensors that, one behind the other, come nearest to values, and those that differ."""
        ways = [
            (self.nearest(turned), turned)
            for turned in ((values, values.T) if values.ndim == 2 else (values,))
        ]
        (_, names), turned = min(ways, key=lambda way: way[0][0])
        differing, place = [], 0
        for name in names:
            part = turned[place : place + len(self.known[name])]
            place += len(part)
            if not any(_same_bits(rounded(self.known[name]), part) for rounded in ROUNDINGS.values()):
                differing.append(name)
        return (names, differing) if len(names) > 1 else ([], [])

    def namesake(self, name: str) -> str | None:
        """The tensor whose name an array bears."""
        return namesake(name, self.known)

    def comparable(self, name: str, values: Array) -> bool:  # noqa: ARG002
        """See :meth:`Tensors.comparable`: a part of a tensor was found by its numbers."""
        return True

    def of_shape(self, values: Array, names: Collection[str], *, most: float = math.inf) -> str | None:
        """The one of these tensors that is nearest to values of its shape, turned round or not.

        Args:
            values: float numbers.
            names: of the tensors.
            most: mean difference to it, relative to its mean size.
        """
        away: dict[str, float] = {}
        for name in sorted(names):
            weights = self.known[name]
            for turned in (values, values.T):
                if turned.shape == weights.shape and turned.ndim:
                    with np.errstate(over="ignore", invalid="ignore"):
                        difference = np.abs(turned.astype(np.float32) - weights)
                    size = float(np.nan_to_num(difference, nan=1e30, posinf=1e30).mean(dtype=np.float64))
                    if size <= most * float(np.abs(weights).mean(dtype=np.float64)):
                        away[name] = min(size, away.get(name, math.inf))
        return min(away, key=away.__getitem__, default=None)

    def _contents_of(self, rounding: str) -> dict[bytes, list[tuple[str, str]]]:
        if rounding not in self._contents:
            found = self._contents[rounding] = {}
            for name, array in self.known.items():
                rounded = ROUNDINGS[rounding](array)
                found.setdefault(_content(rounded), []).append((name, "as stored"))
                if rounded.ndim == 2:
                    found.setdefault(_content(rounded.T), []).append((name, "transposed"))
        return self._contents[rounding]

    def _piece(self, rest: Array, rounding: str) -> tuple[str, int] | None:
        """A tensor that the values begin with, and its length; or one that begins with the values."""
        if rounding not in self._rows:
            index = self._rows[rounding] = {}
            for name, array in self.known.items():
                rounded = ROUNDINGS[rounding](array)
                for turned in (rounded, rounded.T) if rounded.ndim == 2 else (rounded,):
                    if turned.size > SHORT:
                        index.setdefault(_content(_start(turned)), []).append((name, turned))
        for name, whole in self._rows[rounding].get(_content(_start(rest)), ()):
            length = min(len(whole), len(rest))
            if whole.shape[1:] == rest.shape[1:] and _same_bits(whole[:length], rest[:length]):
                return name, length
        return None


def floats_of(encoder: TorchEncoder) -> dict[str, torch.Tensor]:
    """Every tensor of fractions that a converted file may hold, those outside the embedding path as well."""
    buffers = {name: buffer for name, buffer in encoder.model.named_buffers() if buffer.numel() > 1}
    every = {**buffers, **encoder.outside_tensors(), **encoder.tensors()}
    return {name: tensor for name, tensor in every.items() if tensor.is_floating_point()}


def as_array(tensor: torch.Tensor) -> Array:
    """The numbers in float32, without axes of one."""
    return bare(np.ascontiguousarray(tensor.detach().cpu().float().numpy()))


def namesake(name: str, known: Iterable[str]) -> str | None:
    """The one of these tensors whose name an array bears."""
    own = name.replace("/", ".")
    return next((other for other in known if "." in other and same_name(own, other)), None)


def bare(values: Array) -> Array:
    """Without axes of one number: runtimes add them where they broadcast."""
    return values.squeeze()


def _within_a_step(entry: Integers, weights: Array) -> bool:
    """Whether rounding can have moved weights to what integers mean."""
    if entry.method != "onnx":
        return True
    steps = entry.scale.astype(np.float32)
    if steps.size > 1:
        axis = 1 if entry.numbers.shape[-1] == steps.size else 0
        steps = steps.reshape([-1 if place == axis else 1 for place in range(entry.numbers.ndim)])
    return bool((np.abs(entry.numbers - weights) <= steps).all())


def _difference(one: Array, other: Array) -> float:
    """How far apart two rows are as far as both reach; what is no number is far."""
    length = min(len(one), len(other))
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.abs(one[:length] - other[:length])
    return float(np.nan_to_num(away, nan=1e30, posinf=1e30).mean(dtype=np.float64))


def _start(values: Array) -> Array:
    return values[0] if values.ndim > 1 else values[:SHORT]


def _content(values: Array) -> bytes:
    values = np.ascontiguousarray(values, dtype=np.float32)
    return hashlib.sha256(f"{values.shape}".encode() + b"\0" + values.tobytes()).digest()


def _same_bits(one: Array, other: Array) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()
