"""The last bit of single weights, in float64: how many of them break the watermark, digests left aside.

Weights are drawn evenly over the scalars of matrices and filters. Lookup tables are drawn apart, as which of
their rows the key samples reach is a matter of coverage and not of sensitivity.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.benchmarks.last_bit.checking import StrictCheck
from tests.benchmarks.last_bit.interval import wilson
from tests.benchmarks.last_bit.sampling import (
    RowsSeen,
    Weight,
    draw,
    inner_matrices,
    last_bit_changed,
    lookup_tables,
)
from tests.benchmarks.subjects import Subject

WEIGHTS = 2_000
SHARE_OF_TABLES = 10
"""One weight of a table is drawn for so many of matrices."""
SEED = 0
EVERY = 30.0
"""Seconds between two lines of progress."""


def run(subject: Subject, *, weights: int = WEIGHTS) -> list[str]:
    """Print detected and drawn weights with the interval of the share, and the tensors of misses."""
    stored = subject.encoder.description.stored_dtype
    if stored != "float32":
        print(f"weights are stored in {stored}: a float32 has no last bit there")
        return []
    check = StrictCheck(subject.encoder, subject.card)
    if check.broken(None):
        return ["the watermark of the unaltered encoder is broken"]
    drawn = draw(inner_matrices(check.running), weights, seed=SEED)
    missed = misses(check, drawn)
    _print("matrices and filters", drawn, missed)
    tables = lookup_tables(check.running)
    if tables:
        drawn = draw(tables, weights // SHARE_OF_TABLES, seed=SEED)
        with RowsSeen(check.running) as reached:
            check.broken(None)
        rows = [weight for weight in drawn if reached(weight, tables[weight.tensor])]
        # a row that is not looked up leaves every bit as it was, so it need not be run
        unreached = [weight for weight in drawn if weight not in set(rows)]
        missed = misses(check, rows)
        _print("lookup tables", drawn, [*missed, *unreached])
        _print("of these, in rows that a key sample looks up", rows, missed)
    return []


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


def _print(what: str, drawn: Sequence[Weight], missed: Sequence[Weight]) -> None:
    hits = len(drawn) - len(missed)
    low, high = wilson(hits, len(drawn))
    print(
        f"{what}: {hits} of {len(drawn)} detected, {hits / max(len(drawn), 1):.2%}, "
        f"95 % interval {low:.2%} to {high:.2%}",
        flush=True,
    )
    for tensor, count in Counter(weight.tensor for weight in missed).most_common():
        print(f"  missed {count}: {tensor}", flush=True)
