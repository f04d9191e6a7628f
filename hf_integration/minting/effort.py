"""How many key samples references and benign variants run on: decided by counted operations, not by a clock.

Two mintings of one encoder must calibrate alike, whatever else the machine is doing.
"""

from collections.abc import Mapping

from hf_integration.base.vocabulary import Precision, Weights
from hf_integration.watermark import GROUP

CHEAP: tuple[Precision, ...] = ("float64", "float32")
"""Precisions with fast kernels on every CPU."""

MOST_OPERATIONS = {True: 32e9, False: 8e9}
"""What one benign run may compute before it is cut down to fewer key samples: by whether its precision is
cheap. Half a second to two on a small CPU."""

LEAST_KEYS = 16
"""Key samples that every benign run takes, or half of a card's where that is less.

Of an encoder of BERT-base's shape that was calibrated on 16 of 64 key samples, and on 8 under other
instruction sets, 16 real runs on all 64, four of them under other instruction sets, had margins of 5.3 to
10.8 in float64, float32 and bfloat16."""

LEAST_OF_FEW = 4
"""The least that half of a card's may be: of recordings, where one takes as long as ten texts."""

LEAST_ELSEWHERE = 2
"""Key samples that every run under another instruction set takes. With these and 4 of 8 recordings, real runs
of Whisper tiny had margins of 3.5 and more, and those of a BERT-base with 64 texts of 4.9 and more
(``python -m tests.benchmarks margins --encoder whisper --encoder bert-base``)."""

PASSES: Mapping[str, float] = {
    "references": 5.3,
    "benign variants": 3.6,
    "other instruction sets": 2.4,
    "answers of deployments": 1.4,
    "converted encoders": 0.3,
    "coverage": 3.6,
    "simulated alterations": 1.3,
}
"""What each stage of minting takes, in passes over all key samples in float32: those of a BERT-base."""

AT_LEAST = 15.0
"""Seconds that minting takes besides: libraries are loaded in two further processes."""

MOST_OF_A_REFERENCE = 150e9
"""Operations of a reference before it is of fewer key samples, if it is none of the stored weights."""

LEAST_OF_A_REFERENCE = 16
"""Key samples that every reference is of."""


def _affordable(most: float, operations: float) -> int:
    """Whole groups of key samples that so many operations suffice for."""
    return int(most / max(operations, 1.0)) // GROUP * GROUP


def reference_keys(count: int, operations: float, pair: tuple[Weights, Precision]) -> int:
    """Of how many of ``count`` key samples, from the first on, a reference is.

    Of all of them where a run is quick, and always for the weights as stored in float64 and float32. The long
    texts of a card come last. They tell where an endpoint cuts texts, and cost as much as all others: a
    reference for a cast, whose tensors are compared one by one besides, does without them.

    Args:
        count: the card's key samples.
        operations: what one of them takes, counted by ``coverage.operations``.
        pair: weights and precision of the reference.
    """
    weights, precision = pair
    if weights == "stored" and precision in CHEAP:
        return count
    return min(count, max(_affordable(MOST_OF_A_REFERENCE, operations), LEAST_OF_A_REFERENCE))


def benign_keys(count: int, operations: float, precision: Precision) -> int:
    """On how many of ``count`` key samples, from the first on, benign variants run in a precision.

    On all of them where a run is quick, as samples differ in how much their features round. Where it is slow,
    on fewer; calibration knows by how much the mean over fewer samples is noisier.

    Args:
        count: the card's key samples.
        operations: what one of them takes, counted by ``coverage.operations``.
        precision: arithmetic of the run.
    """
    least = min(LEAST_KEYS, max(count // 2, LEAST_OF_FEW))
    return min(count, max(_affordable(MOST_OPERATIONS[precision in CHEAP], operations), least))


def verifying_keys(count: int, operations: float, precision: Precision) -> int:
    """The same of runs that set no tolerance: one group, where running all would be slow."""
    keys = benign_keys(count, operations, precision)
    return keys if keys == count else min(keys, GROUP)


def elsewhere_keys(count: int, operations: float, precision: Precision) -> int:
    """The same under another instruction set, of which the oldest is several times as slow.

    Args:
        count: key samples that benign runs are of on this machine.
        operations: what one of them takes, counted by ``coverage.operations``.
        precision: arithmetic of the run.
    """
    return min(count, max(_affordable(MOST_OPERATIONS[precision in CHEAP] / 2, operations), LEAST_ELSEWHERE))
