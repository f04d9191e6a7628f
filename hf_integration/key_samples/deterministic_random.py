"""Random choices that are the same on every platform, for ever.

NumPy promises no stable stream across versions and Python's ``random`` only for some methods. Key
samples are made again from their seed years later, so the bits come from SHA-256 in counter mode.

``sin`` differs in its last bit between C libraries and between NumPy's vectorised loops. A table of
rounded values does not: no entry lies within 1e-6 of a rounding boundary.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")

_WORD_BYTES = 8


class DeterministicRandom:
    """A stream of random choices fixed by a seed and a purpose.

    Args:
        seed: any integer; a secret one of 256 bits is fine.
        purpose: what the stream is for, so that two uses of one seed share nothing.
    """

    def __init__(self, seed: int, *purpose: str | int) -> None:
        label = "\0".join([str(seed), *map(str, purpose)])
        self._key = hashlib.sha256(label.encode()).digest()
        self._counter = 0
        self._left = b""

    def take(self, size: int) -> bytes:
        """The next ``size`` random bytes."""
        blocks = [self._left]
        missing = size - len(self._left)
        while missing > 0:
            block = hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
            blocks.append(block)
            missing -= len(block)
        joined = b"".join(blocks)
        self._left = joined[size:]
        return joined[:size]

    def below(self, bound: int) -> int:
        """A number from 0 to ``bound - 1``, each equally likely.

        Raises:
            ValueError: ``bound`` is not between 1 and 2**64.
        """
        span = 1 << (8 * _WORD_BYTES)
        if not 1 <= bound <= span:
            raise ValueError(f"bound must be between 1 and 2**64, not {bound}")
        # Values above the last multiple of the bound would favour small results.
        limit = span - span % bound
        while True:
            value = int.from_bytes(self.take(_WORD_BYTES), "big")
            if value < limit:
                return value % bound

    def between(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred cases."""
        return self.below(100) < percent

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def permutation(self, size: int) -> Iterator[int]:
        """The numbers from 0 to ``size - 1`` in random order, drawn as they are asked for.

        The Fisher-Yates shuffle keeps only the places that it moved, so the first few of a million
        cost nothing.
        """
        moved: dict[int, int] = {}
        for place in range(size):
            other = self.between(place, size - 1)
            chosen = moved.get(other, other)
            moved[other] = moved.pop(place, place)
            yield chosen

    def bits(self, *shape: int) -> npt.NDArray[np.uint8]:
        """Fair zeros and ones: uint8 array of the given shape."""
        size = int(np.prod(shape))
        packed = np.frombuffer(self.take((size + 7) // 8), np.uint8)
        return np.unpackbits(packed)[:size].reshape(shape)

    def uint8(self, *shape: int) -> npt.NDArray[np.uint8]:
        """Evenly distributed bytes: uint8 array of the given shape."""
        return np.frombuffer(self.take(int(np.prod(shape))), np.uint8).reshape(shape)


TURN = 1 << 16
"""Phase units in one period."""

PEAK = 32767
"""Largest value of the wave."""

Integers = npt.NDArray[np.int64]


@cache
def _table() -> Integers:
    angles = np.arange(TURN) * (2 * np.pi / TURN)
    table: Integers = np.rint(np.sin(angles) * PEAK).astype(np.int64)
    return table


def sine(phase: Integers) -> Integers:
    """Sine of a phase in units of ``1 / TURN`` periods: int64 from ``-PEAK`` to ``PEAK``, same shape."""
    return np.take(_table(), phase % TURN)
