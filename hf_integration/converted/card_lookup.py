"""The tensors of an encoder, found by the digests that its card records, where nobody has the weights.

A digest says whether numbers are equal, and nothing of how near they are: what fits none is named by what its
array is called, or by its shape if a tensor of that shape was not found elsewhere.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch

from hf_integration.card import Conversions, WatermarkCard
from hf_integration.converted.lookup import ROUNDINGS, SHORT, Nearest, bare, namesake
from hf_integration.converted.recorded_integers import RecordedIntegers
from hf_integration.converted.runtime import Array, Integers
from hf_integration.encoders.identity.tensor_digests import digest_tensors

Shape = tuple[int, ...]

_TAIL = re.compile(r"(\d+_Dense)/config\.json")


class CardLookup:
    """Finds tensors by digests; see :class:`~hf_integration.converted.weights.Tensors`.

    Args:
        card: of the encoder. Without a section about conversions, it knows no shapes and no integers.
    """

    def __init__(self, card: WatermarkCard) -> None:
        section = card.conversions or Conversions({}, {}, {})
        recorded: list[Mapping[str, Mapping[str, bytes]]] = [
            {str(weights): found for weights, found in card.outside.items()},
            {str(weights): found for weights, found in card.digests.items()},
            section.digests,
        ]
        self.used = frozenset(card.digests["stored"])
        self.names = frozenset(section.shapes) or self.used | card.outside.get("stored", {}).keys()
        self.used &= self.names  # without integers, which have no shape here
        parts = [found[1] for file in card.behaviour.files if (found := _TAIL.fullmatch(file))]
        self.tail = frozenset(name for name in self.used if name.partition(".")[0] in parts)
        self._shapes = {name: _bare_shape(shape) for name, shape in section.shapes.items()}
        self._whole: dict[Shape, set[Shape]] = {}
        for shape in section.shapes.values():
            self._whole.setdefault(_bare_shape(shape), set()).add(shape)
        self._floats: dict[bytes, dict[str, set[str]]] = {}
        for rounding in ROUNDINGS:
            for digests in recorded:
                for name, digest in digests.get(rounding, {}).items():
                    self._floats.setdefault(digest, {}).setdefault(rounding, set()).add(name)
        self._integers = RecordedIntegers(section.shapes, section.digests)

    def equal(self, values: Array) -> tuple[str, str, frozenset[str]] | None:
        """See :meth:`Tensors.equal`."""
        for turned, way in _both_ways(values):
            if found := self._found(turned):
                rounding, names = next(iter(found.items()))
                return way, rounding, frozenset(names)
        return None

    def together(self, values: Array) -> tuple[str, frozenset[str]] | None:
        """See :meth:`Tensors.together`; a piece of a tensor has no digest."""
        if values.size <= SHORT:
            return None
        for turned, _ in _both_ways(values):
            names, roundings, place = set[str](), dict.fromkeys(ROUNDINGS), 0
            while place < len(turned):
                piece = self._piece(turned[place:])
                if piece is None:
                    break
                length, found = piece
                roundings = {rounding: None for rounding in roundings if rounding in found}
                names |= set().union(*found.values())
                place += length
            else:
                if roundings:
                    return next(iter(roundings)), frozenset(names)
        return None

    def integers(self, entry: Integers) -> Nearest:
        """See :meth:`Tensors.integers`."""
        found = self._integers.find(entry)
        if found is None:
            parts = self._integers.partly(entry)
            groups = {_group(name) for name in parts}
            names = [name for name in sorted(self.names) if name in parts or _group(name) in groups]
            matrices = [name for name in names if len(self._shapes.get(name, ())) == 2]
            return Nearest(entry, tuple(matrices), None, not parts, {})
        rule, made = found
        return Nearest(entry, tuple(made), rule, True, dict.fromkeys(made, bare(entry.numbers)))

    def others_differ(self, by_rule: int, of: int, *, named: bool) -> bool:
        """See :meth:`Tensors.others_differ`.

        The card has the rules of some conversions, and others make some integers alike, such as those of
        lookup tables: most have to follow a rule of the card.
        """
        return named and 2 * by_rule > of

    def differing(self, values: Array) -> tuple[list[str], list[str]]:
        """See :meth:`Tensors.differing`: parts of which some are tensors, and others their sisters."""
        for turned, _ in _both_ways(values):
            for length in {shape[0] for shape in self._fitting(turned) if len(turned) % shape[0] == 0}:
                parts = [turned[place : place + length] for place in range(0, len(turned), length)]
                found = [set().union(*self._found(part).values()) for part in parts]
                known = {name for names in found for name in names}
                groups = {_group(name) for name in known}
                sisters = {
                    name
                    for name, shape in self._shapes.items()
                    if shape == parts[0].shape and _group(name) in groups and name not in known
                }
                if len(parts) > 1 and known and len(sisters) == found.count(set()):
                    return sorted(known | sisters), sorted(sisters)
        return [], []

    def namesake(self, name: str) -> str | None:
        """See :meth:`Tensors.namesake`."""
        return namesake(name, self.names)

    def comparable(self, name: str, values: Array) -> bool:
        """See :meth:`Tensors.comparable`: of another shape may be its first rows, which have no digest."""
        return name not in self._shapes or self._shapes[name] in (values.shape, values.T.shape)

    def of_shape(self, values: Array, names: Collection[str], *, most: float = math.inf) -> str | None:
        """See :meth:`Tensors.of_shape`; how near values are to it is not known."""
        if most < math.inf or not values.ndim:
            return None
        shapes = values.shape, values.T.shape
        return next((name for name in sorted(names) if self._shapes.get(name) in shapes), None)

    def _found(self, values: Array) -> Mapping[str, set[str]]:
        """Roundings with which values are tensors, with the names of these."""
        for shape in self._whole.get(values.shape, {values.shape}):
            numbers = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32).reshape(shape))
            if found := self._floats.get(digest_tensors({"": numbers})[""]):
                return found
        return {}

    def _fitting(self, values: Array) -> Iterator[Shape]:
        """Shapes of tensors that may be the first rows of values."""
        for shape in dict.fromkeys(self._shapes.values()):
            if shape and shape[1:] == values.shape[1:] and shape[0] <= len(values):
                yield shape

    def _piece(self, values: Array) -> tuple[int, Mapping[str, set[str]]] | None:
        """How many of the first rows are a tensor, and which with what rounding."""
        for shape in self._fitting(values):
            if math.prod(shape) > SHORT and (found := self._found(values[: shape[0]])):
                return shape[0], found
        return None


def _both_ways(values: Array) -> Iterator[tuple[Array, str]]:
    yield values, "as stored"
    if values.ndim == 2:
        yield values.T, "transposed"


def _bare_shape(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _group(name: str) -> str:
    """What tensors that converters put together have in common: ``attention.self`` of the query."""
    return ".".join(name.split(".")[:-2])
