"""The last bit of single covered weights, in float64: how many break the watermark, digests left aside.

Weights are drawn evenly over the covered scalars of matrices, filters and tables: what key samples do not
reach is a matter of coverage. Goal: 99.9 % of 2,000.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from hf_integration.base.progress import Silent
from hf_integration.coverage.measurement import measure_sensitivities
from tests.benchmarks.last_bit.checking import StrictCheck
from tests.benchmarks.last_bit.interval import wilson
from tests.benchmarks.last_bit.sampling import Weight, covered_places, draw, last_bit_changed, weights_of
from tests.benchmarks.subjects import Subject

WEIGHTS = 2_000
GOAL = 0.999
SEED = 0
EVERY = 30.0
"""Seconds between two lines of progress."""


def run(subject: Subject, *, weights: int = WEIGHTS) -> list[str]:
    """Print detected and drawn weights with the interval of the share, and the tensors of misses."""
    stored = subject.encoder.description.stored_dtype
    if stored != "float32":
        return [f"not measured: weights are stored in {stored}, where a float32 has no last bit"]
    check = StrictCheck(subject.encoder, subject.card)
    if check.broken(None):
        return ["the watermark of the unaltered encoder is broken"]
    measured = measure_sensitivities(subject.card, subject.encoder, thorough=None, progress=Silent())
    tensors = weights_of(check.running)
    drawn = draw(covered_places(tensors, measured["float64"]), weights, seed=SEED)
    missed = misses(check, drawn)
    hits = len(drawn) - len(missed)
    low, high = wilson(hits, len(drawn))
    print(
        f"covered weights: {hits} of {len(drawn)} detected, {hits / max(len(drawn), 1):.2%}, "
        f"95 % interval {low:.2%} to {high:.2%}",
        flush=True,
    )
    for tensor, count in Counter(weight.tensor for weight in missed).most_common():
        print(f"  missed {count}: {tensor}", flush=True)
    return [] if hits >= GOAL * len(drawn) > 0 else [f"last bit: {hits} of {len(drawn)}"]


def misses(check: StrictCheck, weights: Sequence[Weight]) -> list[Weight]:
    """Those weights whose last bit leaves the watermark intact."""
    tensors = check.running.tensors()
    missed, said = [], time.perf_counter()
    for place, weight in enumerate(weights):
        with last_bit_changed(tensors[weight.tensor], weight.place):
            if not check.broken(check.replay.part_of(weight.tensor)):
                missed.append(weight)
        if time.perf_counter() - said > EVERY:
            said = time.perf_counter()
            print(f"  {place + 1} of {len(weights)}, {len(missed)} missed", file=sys.stderr, flush=True)
    return missed
