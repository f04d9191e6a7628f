"""The first question to a converted file: are its numbers the weights of the trusted encoder?

Every array of the file is accounted for: it is a weight as it was stored, turned round, rounded to half
precision, made integers by a known rule, put together with others, or it is no weight at all. What is none of
these is named.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from hf_integration.converted.quantising import Rule, follows, rules
from hf_integration.converted.runtime import Array, Held
from hf_integration.encoders.identity.stored_tensors import same_name
from hf_integration.encoders.running.torch_encoder import TorchEncoder

FEW = 16
"""Numbers up to which an array may be a constant of the graph: a scale, a slope, a mask's value."""

FEW_INTEGERS = 64
"""The same for integers: shapes, axes, orders."""

STEPS = 1.0
"""Steps of a quantisation by which no rounding moves a number."""


def _ort_half(least: float) -> Callable[[Array], Array]:
    """onnxruntime's own rounding to float16, in which no number becomes 0."""

    def rounded(values: Array) -> Array:
        kept = np.where((values > 0) & (values < least), least, values)
        kept = np.where((kept < 0) & (kept > -least), -least, kept)
        return np.clip(kept, -65504, 65504).astype(np.float16).astype(np.float32)

    return rounded


def _half(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _brain(values: Array) -> Array:
    found: Array = torch.from_numpy(values).bfloat16().float().numpy()
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


@dataclass(frozen=True)
class Explained:
    """What came of a file's arrays.

    Attributes:
        ways: how arrays are explained -> how many are.
        tensors: how many of the encoder's tensors were looked for.
        changed: arrays that are a weight with other numbers: name in the file, and the tensor's.
        missing: tensors of the encoder that no array holds.
        unexplained: arrays that are no weight and too large for a constant.
        not_compared: integers that no rule known here makes.
        roundings: what weights are rounded to: ``stored``, ``float16``, …, or a rule for integers.
        constants: numbers in constants of the graph, which only running it can judge.
        numbers: float32 weights that the file's integers mean, by tensor, where integers are explained.
    """

    ways: Mapping[str, int]
    tensors: int
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    roundings: tuple[str, ...] = ()
    constants: int = 0
    numbers: Mapping[str, Array] = field(default_factory=dict, repr=False)

    @property
    def equal(self) -> bool:
        """Whether every array is explained and every tensor is there."""
        return not (self.changed or self.missing or self.unexplained or self.not_compared)


def explain(encoder: TorchEncoder, held: Iterable[Held], *, tail: bool) -> Explained:
    """Account for every array of a file.

    Args:
        encoder: the trusted copy.
        held: the arrays.
        tail: whether the file has to hold what follows the pooling as well.
    """
    return _Accounts(encoder, tail=tail).close(held)


class _Accounts:
    """The encoder's tensors, and which of them were found."""

    def __init__(self, encoder: TorchEncoder, *, tail: bool) -> None:
        used = _arrays(encoder.tensors())
        outside = {name for name, _ in encoder.parts[0].tail.named_parameters()} if not tail else set()
        self.needed = {name for name in used if name not in outside}
        self.known = {**used, **_arrays(encoder.outside_tensors()), **_buffers(encoder)}
        self.found: set[str] = set()
        self.ways: Counter[str] = Counter()
        self.roundings: Counter[str] = Counter()
        self._contents: dict[str, dict[bytes, list[tuple[str, str]]]] = {}
        self._rows: dict[str, dict[bytes, list[tuple[str, Array]]]] = {}
        self.numbers: dict[str, Array] = {}

    def close(self, held: Iterable[Held]) -> Explained:
        """Account for everything."""
        left: list[Held] = []
        integers: list[tuple[Held, tuple[str, ...], str | None, bool]] = []
        constants = 0
        for entry in held:
            if entry.quantised is not None:
                integers.append((entry, *self._integers(entry)))
            elif _is_weight_kind(entry) and self._weight(entry):
                pass
            elif _is_constant(entry) and not self._namesake(entry.name):
                self.ways["constants of the graph"] += 1
                constants += entry.values.size
            else:
                left.append(entry)
        changed, not_compared = self._judged_integers(integers)
        paired, unexplained = self._paired(left)
        missing = sorted(self.needed - self.found - {name for _, name in paired})
        return Explained(
            dict(self.ways),
            len(self.needed),
            changed=tuple([*changed, *(_both(entry.name, name) for entry, name in paired)]),
            missing=tuple(missing),
            unexplained=tuple(_shown(entry) for entry in unexplained),
            not_compared=tuple(not_compared),
            roundings=tuple(sorted(self.roundings)),
            constants=constants,
            numbers=self.numbers,
        )

    def _weight(self, entry: Held) -> bool:
        """Whether an array is a weight, or several of them put together."""
        values = _bare(entry.values.astype(np.float32))
        for rounding in ROUNDINGS:
            if found := self._contents_of(rounding).get(_content(values)):
                # one that the encoder holds twice is found twice
                names, turned = {name for name, _ in found}, found[0][1]
                self._count(f"{turned}{_rounded(entry, rounding)}", rounding, names, entry)
                return True
        for rounding in ROUNDINGS if values.size > FEW else ():
            if names := self._pieces(values, rounding):
                self._count(f"put together of others{_rounded(entry, rounding)}", rounding, names, entry)
                return True
        return False

    def _count(self, way: str, rounding: str, names: Iterable[str], entry: Held) -> None:
        self.found.update(names)
        self.ways[way] += entry.arrays
        if set(names) & self.needed:
            self.roundings[rounding] += 1

    def _contents_of(self, rounding: str) -> dict[bytes, list[tuple[str, str]]]:
        if rounding not in self._contents:
            found = self._contents[rounding] = {}
            for name, array in self.known.items():
                rounded = ROUNDINGS[rounding](array)
                found.setdefault(_content(rounded), []).append((name, "as stored"))
                if rounded.ndim == 2:
                    found.setdefault(_content(rounded.T), []).append((name, "transposed"))
        return self._contents[rounding]

    def _pieces(self, values: Array, rounding: str) -> set[str]:
        """Names of tensors that, one behind the other, are these values; or one whose first rows they are."""
        for turned in (values, values.T) if values.ndim == 2 else (values,):
            names, place = set[str](), 0
            while place < len(turned):
                piece = self._piece(turned[place:], rounding)
                if piece is None:
                    break
                names.add(piece[0])
                place += piece[1]
            else:
                return names
        return set()

    def _piece(self, rest: Array, rounding: str) -> tuple[str, int] | None:
        """A tensor that the values begin with, and its length; or one that begins with the values."""
        if not rest.ndim or not rest.size:
            return None
        if rounding not in self._rows:
            index = self._rows[rounding] = {}
            for name, array in self.known.items():
                rounded = ROUNDINGS[rounding](array)
                for turned in (rounded, rounded.T) if rounded.ndim == 2 else (rounded,):
                    if turned.size > FEW:
                        index.setdefault(_content(turned[0] if turned.ndim == 2 else turned[:FEW]), []).append(
                            (name, turned)
                        )
        first = _content(rest[0] if rest.ndim == 2 else rest[:FEW])
        for name, whole in self._rows[rounding].get(first, ()):
            length = min(len(whole), len(rest))
            if whole.shape[1:] == rest.shape[1:] and _same_bits(whole[:length], rest[:length]):
                return name, length
        return None

    def _integers(self, entry: Held) -> tuple[tuple[str, ...], str | None, bool]:
        """Tensors nearest to what integers mean, the rule that makes these of them, and whether any could."""
        assert entry.quantised is not None
        numbers = _bare(entry.quantised.numbers)
        ways = [self._nearest(turned) for turned in ((numbers, numbers.T) if numbers.ndim == 2 else (numbers,))]
        away, names = min(ways, key=lambda way: way[0])
        if not names:
            return (), None, True
        weights = np.concatenate([self.known[name] for name in names])
        if away == ways[0][0]:
            weights = weights.reshape(entry.quantised.numbers.shape)
        else:
            weights = np.ascontiguousarray(weights.T).reshape(entry.quantised.numbers.shape)
        for rule in rules(entry):
            if follows(entry, entry.quantised, weights, rule):
                return self._by_rule(entry, names, rule)
        return tuple(names), None, _within_a_step(entry, weights)

    def _by_rule(self, entry: Held, names: list[str], rule: Rule) -> tuple[tuple[str, ...], str, bool]:
        assert entry.quantised is not None
        self._count(f"made integers: {rule[0]}", rule[0], names, entry)
        numbers = _bare(entry.quantised.numbers)
        if len(names) == 1:
            whole = self.known[names[0]]
            self.numbers[names[0]] = numbers if numbers.shape == whole.shape else numbers.T
        return tuple(names), rule[0], True

    def _nearest(self, numbers: Array) -> tuple[float, list[str]]:
        """Tensors that, one behind the other, come nearest to these numbers, and how near their first rows are."""
        away, names, place = 0.0, list[str](), 0
        while place < len(numbers):
            rest = numbers[place:]
            fitting = {
                name: float(np.abs(array[0] - rest[0]).sum())
                for name, array in self.known.items()
                if array.ndim == numbers.ndim
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

    def _judged_integers(
        self, integers: list[tuple[Held, tuple[str, ...], str | None, bool]]
    ) -> tuple[list[str], list[str]]:
        """Integers that differ, and integers that no rule known here makes of anything."""
        known_rule = any(rule for _, _, rule, _ in integers)
        changed, not_compared = [], []
        for entry, names, rule, may_be in integers:
            if rule is not None:
                continue
            if known_rule or not may_be:
                self.found.update(names)
                changed.append(_both(entry.name, " and ".join(names) or None))
            else:
                # it may be, and then nothing is missing
                self.found.update(names)
                not_compared.append(_both(entry.name, " and ".join(names) or None))
        return changed, not_compared

    def _paired(self, left: list[Held]) -> tuple[list[tuple[Held, str | None]], list[Held]]:
        """Arrays that are a missing tensor with other numbers, by name or else by shape; and all others."""
        paired: list[tuple[Held, str | None]] = []
        others: list[Held] = []
        for entry in left:
            if (namesake := self._namesake(entry.name)) is not None:
                paired.append((entry, namesake))
            else:
                others.append(entry)
        unexplained = []
        for entry in others:
            if name := self._of_shape(entry.values, {name for _, name in paired}):
                paired.append((entry, name))
            else:
                unexplained.append(entry)
        return paired, unexplained

    def _namesake(self, name: str) -> str | None:
        """The tensor whose name an array bears."""
        own = name.replace("/", ".")
        return next((other for other in self.known if "." in other and same_name(own, other)), None)

    def _of_shape(self, values: Array, taken: set[str | None]) -> str | None:
        """The missing tensor nearest to values of its shape, turned round or not."""
        values = _bare(values)
        away: dict[str, float] = {}
        for name in self.needed - self.found - taken:
            weights = self.known[name]
            for turned in (values, values.T):
                if turned.shape == weights.shape and turned.ndim:
                    difference = turned.astype(np.float32) - weights
                    with np.errstate(over="ignore", invalid="ignore"):
                        size = float(np.nan_to_num(np.abs(difference), nan=1e30).mean())
                    away[name] = min(size, away.get(name, np.inf))
        return min(away, key=away.__getitem__, default=None)


def _arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Floating tensors as float32 arrays without axes of one."""
    return {
        name: _bare(np.ascontiguousarray(tensor.detach().cpu().float().numpy()))
        for name, tensor in tensors.items()
        if tensor.is_floating_point()
    }


def _buffers(encoder: TorchEncoder) -> dict[str, Array]:
    """What the model computes from its settings and keeps, such as rotary frequencies: exporters write it."""
    model = encoder.model
    return _arrays({name: buffer for name, buffer in model.named_buffers() if buffer.numel() > 1})


def _bare(values: Array) -> Array:
    """Without axes of one number: runtimes add them where they broadcast."""
    return values.squeeze()


def _content(values: Array) -> bytes:
    values = np.ascontiguousarray(values, dtype=np.float32)
    return hashlib.sha256(f"{values.shape}".encode() + b"\0" + values.tobytes()).digest()


def _same_bits(one: Array, other: Array) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def _is_weight_kind(entry: Held) -> bool:
    if entry.kind == "float64":  # exact only if nothing is lost
        return bool((entry.values.astype(np.float32) == entry.values).all())
    return entry.kind in ("float32", "float16", "bfloat16")


def _is_constant(entry: Held) -> bool:
    """Whether an array is so small, or so regular, that it says nothing but how to compute."""
    values = entry.values.reshape(-1)
    if values.dtype.kind in "fc":
        return values.size <= FEW or bool((values == values[0]).all())
    if values.size <= FEW_INTEGERS or bool((values == values[0]).all()):
        return True
    steps = np.diff(values.astype(np.int64))
    return bool((steps == steps[0]).all())  # position numbers


def _within_a_step(entry: Held, weights: Array) -> bool:
    """Whether rounding can have moved weights to what integers mean."""
    assert entry.quantised is not None
    numbers = entry.quantised.numbers
    scale = entry.quantised.scale.astype(np.float32)
    if entry.quantised.method != "onnx":
        return True
    steps = scale if scale.size == 1 else _along(scale, numbers)
    return bool((np.abs(numbers - weights) <= STEPS * steps).all())


def _along(scale: Array, numbers: Array) -> Array:
    axis = 1 if numbers.shape[-1] == scale.size else 0
    return scale.reshape([-1 if place == axis else 1 for place in range(numbers.ndim)])


def _rounded(entry: Held, rounding: str) -> str:
    return "" if rounding == "stored" else f", rounded to {rounding}"


def _both(name: str, tensor: str | None) -> str:
    return name if tensor is None or same_name(name, tensor) else f"{name} ({tensor})"


def _shown(entry: Held) -> str:
    return f"{entry.name} {list(entry.values.shape)} {entry.kind}"


def unread(explained: Explained) -> Iterator[str]:
    """What an answer about a file has to say beside names."""
    if explained.constants:
        yield (
            f"{explained.ways.get('constants of the graph', 0)} constants of the graph hold "
            f"{explained.constants} numbers that are no weights"
        )
