"""Integers of a converted file, found by the digests of what rules make of trusted weights."""

from collections.abc import Iterable, Iterator, Mapping

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
        family, _, kind = entry.method.partition(" ")
        ways = [entry.values, entry.values.T] if entry.values.ndim == 2 else [entry.values]
        for form, known in self._known.items():
            of, _, rule = form.partition(": ")
            if of != family or kind not in ("", rule):  # other configurations make the same of weights
                continue
            for values in ways:
                if found := self._found(entry, values, known):
                    return rule, frozenset(found)
        return None

    def partly(self, entry: Integers) -> frozenset[str]:
        """Tensors of equal parts of a matrix, of which other parts are none; nothing where that cannot be."""
        values = entry.values
        if values.ndim != 2 or entry.scale.size != len(values):
            return frozenset()
        for length in self._lengths:
            if len(values) // length > 1 and len(values) % length == 0:
                ends = range(length, len(values) + 1, length)
                digests = {_digest_of_rows(entry, values, slice(end - length, end)) for end in ends}
                for known in self._known.values():
                    if names := {name for digest in digests for name in known.get(digest, ())}:
                        return frozenset(names)
        return frozenset()

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
                yield end, _digest_of_rows(entry, values, slice(place, end))


def _digest_of_rows(entry: Integers, values: Array, rows: slice) -> bytes:
    zero = None if entry.zero_point is None else _of_rows(entry.zero_point, rows, len(values))
    return integer_digest(values[rows], _of_rows(entry.scale, rows, len(values)), zero)


def _of_rows(part: Array, rows: slice, count: int) -> Array:
    """What belongs to some rows of a scale or a zero point."""
    return part.reshape(-1)[rows] if part.size == count > 1 else part


def not_recorded(entries: Iterable[object], recorded: RecordedIntegers) -> Iterator[str]:
    """Names of integers among the arrays of a file that no recorded rule makes."""
    for entry in entries:
        if isinstance(entry, Integers) and recorded.find(entry) is None:
            yield entry.name
