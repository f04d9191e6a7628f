"""Benign runs of one encoder in one precision: those that set thresholds, and others that count false alarms.

The first are the runs that minting calibrates a card on, made again: the card keeps only what followed from
them, and the rivals need whole embeddings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from hf_integration.base.vocabulary import Precision
from hf_integration.benign.variants import (
    CALIBRATION,
    Variant,
    one_thread,
    one_thread_other_attention,
    other_attention,
)
from hf_integration.card import Reference, WatermarkCard
from hf_integration.coverage.choosing import operations_per_sample
from hf_integration.encoders import Encoder
from hf_integration.minting.effort import CHEAP, benign_keys
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS
from tests.benchmarks.floors.observation import Observation, observe
from tests.benchmarks.floors.other_process import Batches, observe_under


@contextmanager
def two_threads(_: Encoder) -> Iterator[None]:
    """Compute on two threads, whatever the process was told."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def two_threads_other_attention(encoder: Encoder) -> Iterator[None]:
    """Both at once."""
    with two_threads(encoder), other_attention(encoder):
        yield


HELD_OUT = (
    Variant("batches of 2", 2),
    Variant("batches of 3, shuffled", 3, shuffled=True),
    Variant("batches of 4, other attention kernel", 4, setting=other_attention),
    Variant("batches of 5, one thread", 5, setting=one_thread),
    Variant("batches of 6, shuffled, two threads", 6, shuffled=True, setting=two_threads),
    Variant("batches of 7, shuffled", 7, shuffled=True),
    Variant("batches of 8, other attention kernel", 8, setting=other_attention),
    Variant("batches of 8, shuffled, two threads", 8, shuffled=True, setting=two_threads_other_attention),
    Variant("batches of 11, shuffled", 11, shuffled=True, setting=one_thread_other_attention),
    Variant("batches of 13, two threads", 13, setting=two_threads),
    Variant("batches of 16", 16),
    Variant("batches of 24, shuffled", 24, shuffled=True, setting=one_thread),
    Variant("batches of 32, other attention kernel", 32, setting=two_threads_other_attention),
    Variant("one batch of all, shuffled", 1024, shuffled=True),
)
"""None of them is a run that calibration sees, nor the plain run, which would be equal to the bit."""

CALIBRATION_BATCH = 5
"""Batch size of minting's runs under other instruction sets."""

HELD_OUT_BATCHES = (1, 8, 16)
"""Further runs under each of them."""


@dataclass
class BenignRuns:
    """Runs of the unaltered encoder.

    Attributes:
        plain: the run that everything is held against, on all key samples.
        calibration: runs that set thresholds, on the first key samples where the precision is slow.
        held_out: name and run of those that no threshold has seen.
    """

    plain: Observation
    calibration: list[Observation] = field(default_factory=list)
    held_out: list[tuple[str, Observation]] = field(default_factory=list)


def benign_runs(encoder: Encoder, card: WatermarkCard, reference: Reference) -> BenignRuns:
    """Run everything benign in the precision of a reference; as many key samples as minting takes."""
    samples, seed, precision = card.key_samples, card.seed, reference.precision
    running = encoder.at_precision(precision, weights=reference.weights)
    runs = BenignRuns(observe(running, samples, seed=seed))
    keys = benign_keys(len(samples), operations_per_sample(encoder, samples), precision)
    for variant in (*CALIBRATION, *HELD_OUT):
        some = samples[:keys]
        with variant.setting(encoder):  # before the copy is made, as minting does
            found = observe(
                encoder.at_precision(precision, weights=reference.weights),
                some,
                seed=seed,
                batch_size=variant.batch_size,
                order=variant.order(len(some)),
            )
        if variant in CALIBRATION:
            runs.calibration.append(found)
        else:
            runs.held_out.append((variant.name, found))
    fewer = samples[: _keys_elsewhere(keys, len(samples), precision)]
    sizes = (CALIBRATION_BATCH, *HELD_OUT_BATCHES)
    for name in INSTRUCTION_SETS:
        work = Batches(reference.weights, precision, sizes)
        first, *rest = observe_under(name, encoder, fewer, work, seed=seed)
        runs.calibration.append(first)
        runs.held_out += [
            (f"instruction set {name}, batches of {size}", found)
            for size, found in zip(HELD_OUT_BATCHES, rest, strict=True)
        ]
    return runs


def _keys_elsewhere(keys: int, count: int, precision: Precision) -> int:
    """Key samples under another instruction set, as minting chooses them."""
    return keys if precision in CHEAP or keys == count else keys // 2
