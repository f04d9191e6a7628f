"""The first question to a converted file: are its numbers the weights of the encoder?

Every array of the file is accounted for: it is a weight as it was stored, turned round, rounded to half
precision, made integers by a known rule, put together with others, or it is no weight at all. What is none of
these is named.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from hf_integration.converted.lookup import Lookup, Nearest, bare
from hf_integration.converted.runtime import Array, Held, Integers
from hf_integration.encoders.identity.stored_tensors import same_name
from hf_integration.encoders.running.torch_encoder import TorchEncoder

FEW = 16
"""Numbers up to which an array may be a constant of the graph: a scale, a slope, a mask's value."""

FEW_INTEGERS = 64
"""The same for integers: shapes, axes, orders."""

NEAR = 0.5
"""Mean relative difference up to which an array is taken for a tensor that no embedding needs, such as a
pooler's: a file need not hold that, and numbers of its shape may be something else."""

CONSTANT = "constants of the graph"

MOST_FLOATS, MOST_WHOLE, MOST_NUMBERS = 64, 256, 10_000
"""Different numbers in all constants together, and numbers altogether: MiniLM's graph has 7, 65 and 458.
Weights could be cut into pieces so small that each looks like a constant."""


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


class Tensors(Protocol):
    """The tensors of the encoder, by their numbers or by digests of these; see :class:`Lookup`.

    Attributes:
        used: names of the tensors that can influence the embedding.
        names: of all tensors that a file may hold.
        tail: names of those that follow the pooling.
    """

    used: frozenset[str]
    names: frozenset[str]
    tail: frozenset[str]

    def equal(self, values: Array) -> tuple[str, str, frozenset[str]] | None:
        """How values are a tensor: turned round or not, rounded to what, and all names with these values."""

    def together(self, values: Array) -> tuple[str, frozenset[str]] | None:
        """Tensors that are these values, one behind the other: what they are rounded to, and names."""

    def integers(self, entry: Integers) -> Nearest:
        """What integers are: by a rule made of tensors, or only near to some."""

    def others_differ(self, by_rule: int, of: int, *, named: bool) -> bool:
        """Whether integers that follow no rule are other numbers, where some of their kind follow one.

        Args:
            by_rule: how many of the kind in a file follow one.
            of: how many of the kind there are.
            named: whether it is known what tensor they should be of.
        """

    def differing(self, values: Array) -> tuple[list[str], list[str]]:
        """Several tensors that, one behind the other, come nearest to values, and those that differ."""

    def namesake(self, name: str) -> str | None:
        """The tensor whose name an array bears."""

    def comparable(self, name: str, values: Array) -> bool:
        """Whether values that bear the name of a tensor and are not its own are others, and no part of it."""

    def of_shape(self, values: Array, names: Collection[str], *, most: float = math.inf) -> str | None:
        """The one of these tensors that is nearest to values of its shape, up to a relative difference."""


def explain(encoder: TorchEncoder, held: Iterable[Held], *, tail: bool) -> Explained:
    """Account for every array of a file by the weights of a trusted copy; see :func:`account`."""
    return account(Lookup(encoder), held, tail=tail)


def account(tensors: Tensors, held: Iterable[Held], *, tail: bool) -> Explained:
    """Account for every array of a file.

    Args:
        tensors: of the encoder.
        held: the arrays.
        tail: whether the file has to hold what follows the pooling as well.
    """
    return _Accounts(tensors, tensors.used if tail else tensors.used - tensors.tail).close(held)


class _Accounts:
    """Which of the encoder's tensors were found, and how.

    Args:
        lookup: finds tensors.
        needed: names of those that a file has to hold.
    """

    def __init__(self, lookup: Tensors, needed: Collection[str]) -> None:
        self._lookup = lookup
        self._needed = frozenset(needed)
        self._found: set[str] = set()
        self._ways: Counter[str] = Counter()
        self._roundings: set[str] = set()
        self._numbers: dict[str, Array] = {}

    def close(self, held: Iterable[Held]) -> Explained:
        """Account for everything."""
        left: list[Held] = []
        integers: list[Nearest] = []
        constants: list[Array] = []
        for entry in held:
            if isinstance(entry, Integers):
                integers.append(self._integers(entry))
            elif _is_weight_kind(entry) and self._weight(entry):
                pass
            elif _is_constant(entry) and not self._lookup.namesake(entry.name):
                self._ways[CONSTANT] += 1
                constants.append(entry.values.reshape(-1))
            else:
                left.append(entry)
        changed, not_compared = self._judged(integers)
        paired, unexplained = self._paired(left)
        missing = self._needed - self._found - {name for _, name in paired}
        return Explained(
            dict(self._ways),
            len(self._needed),
            changed=(*changed, *(_both(entry.name, name) for entry, name in paired)),
            missing=tuple(sorted(missing)),
            unexplained=(*(_shown(entry) for entry in unexplained), *_too_many(constants)),
            not_compared=not_compared,
            roundings=tuple(sorted(self._roundings)),
            constants=sum(values.size for values in constants),
            numbers=self._numbers,
        )

    def _weight(self, entry: Held) -> bool:
        """Whether an array is a weight, or several of them put together."""
        values = bare(entry.values.astype(np.float32))
        if found := self._lookup.equal(values):
            way, rounding, names = found
        elif pieces := self._lookup.together(values):
            way, rounding, names = "put together of others", *pieces
        else:
            return False
        self._count(way if rounding == "stored" else f"{way}, rounded to {rounding}", rounding, names)
        return True

    def _count(self, way: str, rounding: str, names: Collection[str], arrays: int = 1) -> None:
        self._found.update(names)
        self._ways[way] += arrays
        if self._needed.intersection(names):
            self._roundings.add(rounding)

    def _integers(self, entry: Integers) -> Nearest:
        found = self._lookup.integers(entry)
        if found.rule is not None:
            self._count(f"made integers: {found.rule}", found.rule, found.names, entry.arrays)
            self._numbers.update(found.numbers)
        return found

    def _judged(self, integers: Collection[Nearest]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Integers that differ, and those that no rule known here makes of anything in this file.

        A converter makes all of a file by a rule or two: where some are made by one that is known, all others
        of the same method have to be.
        """
        by_rule, of = (
            Counter((one.held.method, one.held.kind) for one in some)
            for some in ([one for one in integers if one.rule], integers)
        )
        changed, not_compared = list[str](), list[str]()
        for one in integers:
            if one.rule is None:
                names = one.names or self._in_place_of(one.held)
                self._found.update(names)  # there, whatever it holds
                kind = one.held.method, one.held.kind
                altered = not one.may_be or self._lookup.others_differ(
                    by_rule[kind], of[kind], named=bool(names)
                )
                (changed if altered else not_compared).append(_both(one.held.name, " and ".join(names)))
        return tuple(changed), tuple(not_compared)

    def _in_place_of(self, entry: Integers) -> tuple[str, ...]:
        """The tensor that integers should be of, by their name or else their shape."""
        free = self._needed - self._found
        name = self._lookup.namesake(entry.name.removesuffix("_quantized"))
        if name is not None and not self._lookup.comparable(name, bare(entry.numbers)):
            return ()
        found = name or self._lookup.of_shape(bare(entry.numbers), free)
        return () if found is None else (found,)

    def _paired(self, left: Collection[Held]) -> tuple[list[tuple[Held, str]], list[Held]]:
        """Arrays that are a tensor with other numbers, by name or else by shape; and all others."""
        paired: list[tuple[Held, str]] = []
        others: list[Held] = []
        unexplained: list[Held] = []
        for entry in left:
            namesake = self._lookup.namesake(entry.name)
            if namesake is None:
                others.append(entry)
            elif self._lookup.comparable(namesake, bare(entry.values)):
                paired.append((entry, namesake))
            else:
                unexplained.append(entry)
        for entry in others:
            free = self._needed - self._found - {name for _, name in paired}
            values = bare(entry.values)
            names, differing = self._lookup.differing(values.astype(np.float32)) if values.ndim else ([], [])
            outside = self._lookup.names - self._needed - self._found - {name for _, name in paired}
            if name := self._lookup.of_shape(values, free) or self._lookup.of_shape(
                values, outside, most=NEAR
            ):
                paired.append((entry, name))
            elif free.intersection(names):  # put together of several, of which some differ
                paired += [(entry, name) for name in differing]
                self._found.update(names)
            else:
                unexplained.append(entry)
        return paired, unexplained


def _is_weight_kind(entry: Held) -> bool:
    if entry.kind == "float64":  # exact only if nothing is lost
        with np.errstate(over="ignore"):
            return bool((entry.values.astype(np.float32) == entry.values).all())
    return entry.kind in ("float32", "float16", "bfloat16")


def _is_constant(entry: Held) -> bool:
    """Whether an array is so small, or so regular, that it says nothing but how to compute."""
    values = entry.values.reshape(-1)
    integers = values.dtype.kind not in "fc"
    if values.size <= (FEW_INTEGERS if integers else FEW) or bool((values == values[0]).all()):
        return True
    if not integers:
        return False
    steps = np.diff(values.astype(np.int64))
    return bool((steps == steps[0]).all())  # position numbers


def _too_many(constants: Collection[Array]) -> Iterator[str]:
    """What says that constants hold more than how to compute."""
    floats = {bytes(number) for values in constants if values.dtype.kind == "f" for number in values[:FEW]}
    whole = {
        int(number) for values in constants if values.dtype.kind != "f" for number in values[:FEW_INTEGERS]
    }
    for numbers, most, kind in ((floats, MOST_FLOATS, "fractions"), (whole, MOST_WHOLE, "whole numbers")):
        if len(numbers) > most:
            yield f"{len(numbers)} different {kind} in {CONSTANT}, and {most} are the most that graphs have"
    # larger ones are constants by one rule for all their numbers
    small = sum(values.size for values in constants if values.size <= FEW_INTEGERS)
    if small > MOST_NUMBERS:
        yield f"{small} numbers in {CONSTANT}, and {MOST_NUMBERS} are the most that graphs have"


def _both(name: str, tensor: str) -> str:
    return name if not tensor or same_name(name, tensor) else f"{name} ({tensor})"


def _shown(entry: Held) -> str:
    return f"{entry.name} {list(entry.values.shape)} {entry.kind}"
