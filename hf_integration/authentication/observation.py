"""Running key samples through an encoder and sketching what every strip gives."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from hf_integration.encoders.full_precision import full_precision
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.processes import in_all_processes, largest_of_all, launched
from hf_integration.key_samples.interface import Sample
from hf_integration.progress import Progress, Silent
from hf_integration.watermark import SKETCH_DIM, sketch

BATCH_SIZE = 8
"""Large enough to keep a few cores busy, small enough to pad little; on two cores nothing is faster."""


def observe_sketches(
    encoder: Encoder,
    samples: Sequence[Sample],
    *,
    seed: int,
    batch_size: int = BATCH_SIZE,
    order: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Sketches of every strip for every key sample, in full precision, split over all processes.

    Args:
        encoder: already at the precision of the check.
        samples: the card's key samples.
        seed: the card's seed.
        batch_size: most samples in one batch.
        order: visit the samples in this order instead of by length (a benign variant).
        progress: told how many samples are done.

    Returns:
        Strip name -> float64 CPU tensor with shape ``(len(samples), SKETCH_DIM)``, in forward order.
    """
    return in_all_processes(
        len(samples),
        lambda share: _observe_share(encoder, samples, share, seed, batch_size, order, progress or Silent()),
    )


def observe_within(
    encoder: Encoder,
    samples: Sequence[Sample],
    *,
    seed: int,
    seconds: float,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Sketches of as many of the first key samples as a time allows, a step at least.

    Chosen images and recordings come in the order of what they wake; texts come as they were drawn, and those
    that sweep a vocabulary last. The clock decides, and so does how fast the encoder is.

    Args:
        encoder: already at the precision of the check.
        samples: the card's key samples.
        seed: the card's seed.
        seconds: no further batch is begun that would likely end later.
        progress: told how many samples are done.

    Returns:
        Strip name -> float64 CPU tensor with shape ``(samples that were run, SKETCH_DIM)``.
    """
    started = time.perf_counter()
    parts: list[dict[str, Tensor]] = []
    longest = 0.0
    step = step_within(len(samples))
    for place in range(0, len(samples), step):
        spent = largest_of_all(time.perf_counter() - started)
        if parts and spent + longest > seconds:
            break
        parts.append(observe_sketches(encoder, samples[place : place + step], seed=seed, progress=progress))
        longest = max(longest, largest_of_all(time.perf_counter() - started) - spent)
    return {strip: torch.cat([part[strip] for part in parts]) for strip in parts[0]}


def step_within(count: int) -> int:
    """Key samples between two looks at the clock.

    A batch, which fills a tile of means; of small cards one for each process.
    """
    return BATCH_SIZE if count > BATCH_SIZE else launched()


def _observe_share(
    encoder: Encoder,
    samples: Sequence[Sample],
    share: Sequence[int],
    seed: int,
    batch_size: int,
    order: Sequence[int] | None,
    progress: Progress,
) -> dict[str, Tensor]:
    """Sketches of the samples in ``share``, in that order."""
    mine = [samples[index] for index in share]
    place = {index: position for position, index in enumerate(share)}
    visit = None if order is None else [place[index] for index in order if index in place]
    sketches: dict[str, Tensor] = {}
    with full_precision():
        for batch in encoder.observe(mine, batch_size=batch_size, order=visit):
            rows = torch.tensor(batch.indices)
            for strip, feature in batch.features.items():
                # full of NaN, so that a sample that an encoder skips can never look intact
                filled = sketches.setdefault(
                    strip, torch.full((len(mine), SKETCH_DIM), torch.nan, dtype=torch.float64)
                )
                filled[rows] = sketch(feature, seed=seed, strip=strip)
            progress.advance(len(batch.indices))
    return sketches
