"""How many key samples benign variants run on: decided by counted operations, never by a clock.

Two mintings of one encoder must calibrate alike, whatever else the machine is doing.
"""

from hf_integration.base.vocabulary import Precision
from hf_integration.watermark import GROUP

CHEAP: tuple[Precision, ...] = ("float64", "float32")
"""Precisions with fast kernels on every CPU."""

MOST_OPERATIONS = {True: 32e9, False: 8e9}
"""What one benign run may compute before it is cut down to fewer key samples: by whether its precision is
cheap. Half a second to two on a small CPU."""

LEAST_KEYS = {True: 16, False: 16}
"""Key samples that every benign run takes, by whether its precision is cheap; whole groups.

Of an encoder of BERT-base's shape that was calibrated on 16 of 64 key samples, 16 real runs on all 64, four
of them under other instruction sets, had margins of 5.3 to 10.8 in float64, float32 and bfloat16."""


def benign_keys(count: int, operations: float, precision: Precision) -> int:
    """On how many of ``count`` key samples, from the first on, benign variants run in a precision.

    On all of them where a run is quick, as samples differ in how much their features round. Where it is slow,
    on whole groups, so that the noise of every kind of tile is seen; calibration knows by how much the mean
    over fewer samples is noisier.

    Args:
        count: the card's key samples.
        operations: what one of them takes, counted by ``coverage.operations``.
        precision: arithmetic of the run.
    """
    cheap = precision in CHEAP
    affordable = int(MOST_OPERATIONS[cheap] / max(operations, 1.0)) // GROUP * GROUP
    return min(count, max(affordable, LEAST_KEYS[cheap]))
