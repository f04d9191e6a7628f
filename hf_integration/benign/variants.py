"""Benign variants: real runs of the unaltered encoder that differ only in how they are carried out.

Each is a context manager that sets up one run and gives the batch size and the order of the samples. What
calibration sees and what the self-check sees are different lists, so that a margin is always measured on
runs that did not set the tolerance.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch

from hf_integration.encoders.files.loading import silent_transformers
from hf_integration.encoders.interface import Encoder


@dataclass(frozen=True)
class Variant:
    """One way to carry out a benign run.

    Attributes:
        name: for reports.
        batch_size: most samples in one batch.
        shuffled: visit samples in a random order, so that short ones are padded beside long ones.
        setting: what else is set for the duration of the run.
    """

    name: str
    batch_size: int = 16
    shuffled: bool = False
    setting: Callable[[Encoder], AbstractContextManager[None]] = lambda _: nullcontext()

    def order(self, count: int) -> list[int] | None:
        """The order of ``count`` samples, or ``None`` for the encoder's own."""
        return random.Random(count).sample(range(count), count) if self.shuffled else None  # noqa: S311  # not a secret


@contextmanager
def one_thread(_: Encoder) -> Iterator[None]:
    """Compute on one thread: sums are split differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def other_attention(encoder: Encoder) -> Iterator[None]:
    """Compute attention eagerly instead of by a fused kernel, or the other way round.

    Does nothing for encoders whose attention cannot be switched (convolutional ones have none).
    """
    model = encoder.model
    used = getattr(getattr(model, "config", None), "_attn_implementation", None)
    try:
        with silent_transformers():  # it warns of what cannot be switched
            model.set_attn_implementation("sdpa" if used == "eager" else "eager")
    except (AttributeError, ValueError, ImportError, TypeError):
        used = None
    try:
        yield
    finally:
        if used is not None:
            with silent_transformers():
                model.set_attn_implementation(used)


@contextmanager
def one_thread_other_attention(encoder: Encoder) -> Iterator[None]:
    """Both at once."""
    with one_thread(encoder), other_attention(encoder):
        yield


CALIBRATION = (
    Variant("single samples", batch_size=1),
    Variant(
        "large batches, padded, other attention kernel", batch_size=32, shuffled=True, setting=other_attention
    ),
)
HELD_OUT = (Variant("batches of 7, shuffled", batch_size=7, shuffled=True),)
HELD_OUT_CHEAP = (
    Variant("batches of 5, one thread, other attention kernel", 5, setting=one_thread_other_attention),
)
"""Run in addition where a run is cheap: in float64 and float32, for the weights as stored."""
