"""Sine waves in integers.

``sin`` differs in its last bit between C libraries and between NumPy's vectorised loops. A table of
rounded values does not: no entry lies within 1e-6 of a rounding boundary.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

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
