"""Integers of a converted file, found by the digests of what rules make of trusted weights."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from hf_integration.converted.lookup import ROUNDINGS
from hf_integration.converted.quantising import integer_digest
from hf_integration.converted.runtime import Array, Integers


class RecordedIntegers:
    """Finds integers by digests, turned round or not, and several matrices that are put together.

    Args:
        shapes: of tensors, by name.
        digests: form -> tensor -> digest of its integers; forms that are no integers are left out.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], digests: Mapping[str, Mapping[str, bytes]]
    ) -> None:
        self._known: dict[str, dict[bytes, set[str]]] = {}
        for form, of in digests.items():
            if form not in ROUNDINGS:
                known = self._known.setdefault(form, {})
                for name, digest in of.items():
                    known.setdefault(digest, set()).add(name)
        self._lengths = sorted({shape[0] for shape in shapes.values() if len(shape) == 2}, reverse=True)

    def find(self, entry: Integers) -> tuple[str, frozenset[str]] | None:
        """The rule that makes integers, and all tensors of which it makes them; ``None`` if none does."""
        family = entry.method.partition(" ")[0]
        ways = [entry.values, entry.values.T] if entry.values.ndim == 2 else [entry.values]
        for form, known in self._known.items():
            of, _, rule = form.partition(": ")
            if of != family:
                continue
            for values in ways:
                if found := self._found(entry, values, known):
                    return rule, frozenset(found)
        return None

    def _found(self, entry: Integers, values: Array, known: Mapping[bytes, set[str]]) -> set[str]:
        """Tensors that are all of the values, in one piece or in several."""
        if whole := known.get(integer_digest(values, entry.scale, entry.zero_point)):
            return whole
        # a scale of all numbers says that they were put together before they became integers
        if values.ndim != 2 or not (entry.scale.size == len(values) or entry.method.startswith("gguf")):
            return set()
        names, place = set[str](), 0
        while place < len(values):
            for end, digest in self._pieces(entry, values, place):
                if piece := known.get(digest):
                    names |= piece
                    place = end
                    break
            else:
                return set()
        return names

    def _pieces(self, entry: Integers, values: Array, place: int) -> Iterator[tuple[int, bytes]]:
        """Ends of the rows from one place on that may be a tensor, and their digests."""
        for end in (place + length for length in self._lengths):
            if end <= len(values):
                rows = slice(place, end)
                scale, zero = (_of_rows(part, rows, len(values)) for part in (entry.scale, entry.zero_point))
                yield end, integer_digest(values[rows], np.ones(1) if scale is None else scale, zero)


def _of_rows(part: Array | None, rows: slice, count: int) -> Array | None:
    """What belongs to some rows of a scale or a zero point."""
    return part.reshape(-1)[rows] if part is not None and part.size == count > 1 else part


def not_recorded(entries: Iterable[object], recorded: RecordedIntegers) -> Iterator[str]:
    """Names of integers among the arrays of a file that no recorded rule makes."""
    for entry in entries:
        if isinstance(entry, Integers) and recorded.find(entry) is None:
            yield entry.name
