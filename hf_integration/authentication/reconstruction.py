"""Reconstructing the watermark from an encoder's strips and comparing it with the card's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hf_integration.card import Reference, WatermarkCard
from hf_integration.verdict import StripResult
from hf_integration.verdict.value import LARGEST_ERROR, LARGEST_MARGIN
from hf_integration.watermark import tile_errors


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the generator made of an encoder's strips.

    Attributes:
        strips: one result per strip, in forward order.
        pictures: reconstructed watermarks, float64 ``(strips, side, side)``, ±1 where intact.
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
        sketches: strip name -> float64 ``(keys, SKETCH_DIM)``; a strip that is missing is broken.

    Returns:
        Results and pictures of all strips of the card.
    """
    layout = card.generator.layout
    expected = layout.cut(card.watermark.double() / 127.5 - 1)
    absent = torch.full_like(reference.sketches[0], torch.nan)
    features = torch.stack(
        [
            calibration.normalise(sketches.get(name, absent) - recorded, recorded, layout)
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
        pictures=torch.stack([layout.assemble(picture) for picture in tiles]),
        broken=~(errors <= card.tolerance),
    )


def reconstruct_first(
    card: WatermarkCard, reference: Reference, observed: Mapping[str, Tensor]
) -> Reconstruction:
    """Reconstruct the watermark when only the first key samples were run; the others count as untouched.

    Their tiles stay blank: what was not checked must not look like what passed.

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
    layout = card.generator.layout
    if not observed or ran == layout.keys:
        return found
    blank = layout.settled(range(ran)).double()[:, None]
    pictures = [layout.assemble(layout.cut(picture) * blank) for picture in found.pictures]
    return replace(found, pictures=torch.stack(pictures))
