"""From key samples to the watermark: strips observed, reconstructed, compared.

A strict check runs a copy in float64. What tells the two apart would go unseen there: compiled code that a
copy loses, a kernel that a copy replaces, a hook that looks at the dtype.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hf_integration.authentication.references import reference_for, rounding_of
from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import Weights
from hf_integration.card import Reference, WatermarkCard
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.batches import in_all_processes, largest_of_all, launched
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples.samples import Sample
from hf_integration.verdict import LARGEST_ERROR, LARGEST_MARGIN, StripResult
from hf_integration.watermark import GROUP, sketch, targets, tile_errors

BATCH_SIZE = 16
"""Large enough to keep a few cores busy, small enough to pad little. A check of 64 texts in float64 by
batches of 8 took a third longer with MiniLM and a tenth with a BERT-base, and by batches of 32 a fifth and a
tenth."""


EMBEDDINGS = "embeddings, as users get them"
"""What :func:`observe_sketches` gives besides the strips, where that is asked for."""


def observe_sketches(
    encoder: Encoder,
    samples: Sequence[Sample],
    *,
    seed: int,
    batch_size: int = BATCH_SIZE,
    order: Sequence[int] | None = None,
    embeddings: bool = False,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Sketches of every strip for every key sample, in full precision, split over all processes.

    Args:
        encoder: already at the precision of the check.
        samples: the card's key samples.
        seed: the card's seed.
        batch_size: most samples in one batch.
        order: visit the samples in this order instead of by length (a benign variant).
        embeddings: give these as well, float64 ``(len(samples), dim)`` under the name ``EMBEDDINGS``.
        progress: told how many samples are done.

    Returns:
        Strip name -> float64 CPU tensor with shape ``(len(samples), SKETCH_DIM)``, in forward order.
    """
    return in_all_processes(
        len(samples),
        lambda share: _observe_share(
            encoder, samples, share, seed, batch_size, order, embeddings, progress or Silent()
        ),
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

    As many as fill a tile of means; of small cards one for each process.
    """
    return GROUP if count > GROUP else launched()


def _observe_share(
    encoder: Encoder,
    samples: Sequence[Sample],
    share: Sequence[int],
    seed: int,
    batch_size: int,
    order: Sequence[int] | None,
    embeddings: bool,
    progress: Progress,
) -> dict[str, Tensor]:
    """Sketches of the samples in ``share``, in that order."""
    mine = [samples[index] for index in share]
    place = {index: position for position, index in enumerate(share)}
    visit = None if order is None else [place[index] for index in order if index in place]
    found: dict[str, Tensor] = {}
    with full_precision():
        for batch in encoder.observe(mine, batch_size=batch_size, order=visit):
            rows = torch.tensor(batch.indices)
            given = {strip: sketch(each, seed=seed, strip=strip) for strip, each in batch.features.items()}
            if embeddings and batch.embedding is not None:
                given[EMBEDDINGS] = batch.embedding
            for name, part in given.items():
                # full of NaN, so that a sample that an encoder skips can never look intact
                filled = found.setdefault(name, part.new_full((len(mine), part.shape[1]), torch.nan))
                filled[rows] = part
            progress.advance(len(batch.indices))
    return found


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the generator made of an encoder's strips.

    Attributes:
        strips: one result per strip, in forward order.
        pictures: reconstructed watermarks, float64 ``(strips, side, side)``, ±1 for white and black.
        broken: whether each tile is broken, bool ``(strips, tiles)``.
    """

    strips: tuple[StripResult, ...]
    pictures: Tensor
    broken: Tensor

    @property
    def intact(self) -> bool:
        """Whether every strip reproduced the watermark."""
        return all(strip.intact for strip in self.strips)

    @property
    def margin(self) -> float:
        """Tolerance / error, the smallest over strips, at most 1e6; above 1 is intact."""
        return min(min(s.tolerance / max(s.error, 1e-12), LARGEST_MARGIN) for s in self.strips)


def reconstruct(card: WatermarkCard, reference: Reference, sketches: Mapping[str, Tensor]) -> Reconstruction:
    """Reconstruct the watermark from every strip.

    Args:
        card: the card, with its generator and watermark.
        reference: the reference of the weights and the precision that were run.
        sketches: strip name -> float64 ``(keys, SKETCH_DIM)``, of the reference's key samples at least; a
            strip that is missing is broken.

    Returns:
        Results and pictures of all strips of the card.
    """
    layout = card.generator.layout
    # where a reference is of fewer key samples, they take the places of the others as well, so that the means
    # over all of them are means over those
    rows = torch.arange(layout.keys) % reference.keys
    expected = targets(card.watermark.double() / 127.5 - 1, layout)
    absent = torch.full_like(reference.sketches[0], torch.nan)
    features = torch.stack(
        [
            calibration.normalise(
                (sketches.get(name, absent)[: reference.keys] - recorded)[rows], recorded[rows], layout
            )
            for name, recorded, calibration in zip(
                card.strips, reference.sketches, reference.calibrations, strict=True
            )
        ]
    )
    tiles = card.generator(features)
    errors = tile_errors(tiles, expected)
    worst = errors.amax(1).clamp(max=LARGEST_ERROR)
    # a norm that is not a number compares false with everything, so it is made the largest first
    distances = features.norm(dim=-1).nan_to_num(nan=LARGEST_ERROR).clamp(max=LARGEST_ERROR).amax(1)
    return Reconstruction(
        strips=tuple(
            StripResult(
                name=name,
                error=float(error),
                tolerance=card.tolerance,
                intact=bool(error <= card.tolerance),
                deviation=float(distance),
            )
            for name, error, distance in zip(card.strips, worst, distances, strict=True)
        ),
        pictures=torch.stack([card.generator.picture(strip) for strip in tiles]),
        broken=~(errors <= card.tolerance),
    )


def reconstruct_first(
    card: WatermarkCard, reference: Reference, observed: Mapping[str, Tensor]
) -> Reconstruction:
    """Reconstruct the watermark when only the first key samples were run; the others count as untouched.

    Their tiles stay blank, and so do those of key samples that the reference is not of: what was not checked
    must not look like what passed.

    Args:
        card: as for :func:`reconstruct`.
        reference: as for :func:`reconstruct`.
        observed: strip name -> float64 ``(samples, SKETCH_DIM)``; a strip that is missing is broken.
    """
    recorded = zip(card.strips, reference.sketches, strict=True)
    sketches = {
        strip: torch.cat([observed[strip], untouched[len(observed[strip]) :]])
        for strip, untouched in recorded
        if strip in observed
    }
    found = reconstruct(card, reference, sketches)
    ran = min((len(sketched) for sketched in observed.values()), default=0)
    ran = min(ran, reference.keys)
    layout = card.generator.layout
    if not observed or ran == layout.keys:
        return found
    settled = layout.settled(range(ran))
    if ran >= reference.keys:
        settled[layout.keys + layout.groups :] = True  # the means over all that the reference is of
    blank = settled.double()[:, None]
    pictures = [layout.assemble(layout.cut(picture) * blank) for picture in found.pictures]
    return replace(found, pictures=torch.stack(pictures))


WITNESSES = 4
"""Key samples: a difference between encoder and copy is in its code, which any sample runs through."""


def witness(encoder: Encoder, card: WatermarkCard, weights: Weights) -> Reconstruction:
    """Reconstruct the watermark from the first key samples, run as the encoder's users run it.

    Args:
        encoder: the encoder as it is; it is not copied.
        card: the card.
        weights: which recorded weights the encoder holds.

    Returns:
        The reconstruction; key samples that were not run count as untouched.

    Raises:
        UsageError: the card has no reference for the precision that the encoder computes in.
    """
    reference = reference_for(card, weights, encoder.own_precision)
    observed = _observe(encoder, card)
    rounded = encoder.rounded_to(rounding_of(card, weights))
    if rounded is not encoder:
        # The reference was run with other values than this re-encoding holds. A rounded copy has them; what
        # the encoder itself gives besides what a plain copy does comes on top.
        plain, held = _observe(encoder.duplicate(), card), _observe(rounded, card)
        observed = {strip: held[strip] + sketched - plain[strip] for strip, sketched in observed.items()}
    return reconstruct_first(card, reference, observed)


def _observe(encoder: Encoder, card: WatermarkCard) -> dict[str, Tensor]:
    return observe_sketches(encoder, card.key_samples[:WITNESSES], seed=card.seed)
