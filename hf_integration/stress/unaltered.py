"""Benign ways of running, each a real run: none of them may raise an alarm."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from hf_integration.authentication import observe_sketches
from hf_integration.authentication.reconstruction import BATCH_SIZE, reconstruct_first
from hf_integration.authentication.references import reference_for
from hf_integration.base.errors import SSLAuthError
from hf_integration.base.vocabulary import Precision
from hf_integration.benign.variants import Variant, one_thread, other_attention
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.minting.effort import CHEAP
from hf_integration.minting.instruction_sets import INSTRUCTION_SETS, Run, run_under
from hf_integration.stress.findings import BenignChange
from hf_integration.stress.unaltered_elsewhere import compiled_run, other_device_run

KEYS_IN_HALF = 16


@contextmanager
def _channels_last(encoder: Encoder) -> Iterator[None]:
    """Filters of images laid out as many pipelines lay them out for speed."""
    encoder.model.to(memory_format=torch.channels_last)
    try:
        yield
    finally:
        encoder.model.to(memory_format=torch.contiguous_format)


@contextmanager
def _every_core(_: Encoder) -> Iterator[None]:
    """Compute on as many threads as there are cores, whatever the caller set; on two where there is one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(2, os.cpu_count() or 2))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


WAYS = (
    Variant("as authenticated", BATCH_SIZE),
    Variant("samples one by one", 1),
    Variant("batches of 7, shuffled, padded where masked", 7, shuffled=True),
    Variant("one batch of all, shuffled", 1024, shuffled=True),
    Variant("other attention kernel", BATCH_SIZE, setting=other_attention),
    Variant("one thread", BATCH_SIZE, setting=one_thread),
    Variant("a thread for every core", BATCH_SIZE, setting=_every_core),
    Variant("memory in channels-last order", BATCH_SIZE, setting=_channels_last),
)


def benign_runs(encoder: Encoder, card: WatermarkCard, precision: Precision) -> Iterator[BenignChange]:
    """Run every way of carrying out a check, the usual one first.

    Then follow every instruction set, compiled code and another device. Half precision is slow on a CPU:
    there the first key samples stand for all.
    """
    reference = reference_for(card, "stored", precision)
    samples = card.key_samples[: reference.keys if precision in CHEAP else min(KEYS_IN_HALF, reference.keys)]
    plain: Mapping[str, Tensor] = {}
    for way in WAYS:
        with way.setting(encoder):
            running = encoder.at_precision(precision, weights=reference.weights)
            sketches = observe_sketches(
                running,
                samples,
                seed=card.seed,
                batch_size=way.batch_size,
                order=way.order(len(samples)),
            )
        idle = bool(plain) and all(torch.equal(plain[strip], found) for strip, found in sketches.items())
        plain = plain or sketches
        margin = reconstruct_first(card, reference, sketches).margin
        yield BenignChange(way.name, precision, margin, idle=idle)
    for name in INSTRUCTION_SETS if encoder.path is not None else ():
        work = Run(reference.weights, precision, BATCH_SIZE, len(samples))
        try:
            found = run_under(name, encoder, card.key_samples, [work], seed=card.seed)
        except SSLAuthError as error:
            yield BenignChange(f"instruction set {name}", precision, None, str(error))
            continue
        margin = reconstruct_first(card, reference, found[reference.weights, precision]).margin
        yield BenignChange(f"instruction set {name}", precision, margin)
    yield compiled_run(encoder, card, precision)
    yield other_device_run(encoder, card, precision)
