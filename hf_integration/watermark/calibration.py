"""Calibration: how far benign runs stray from the reference, per strip, and the tolerance that follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.watermark.layout import KINDS, Layout

SAFETY = 6.0
"""Tolerance over the largest benign deviation seen while calibrating: runs on machines that were not at
hand may deviate further, and the self-check wants a margin of 3 on runs that calibration did not see."""

DEAD = 0.01
"""Dimensions with less than this share of the median noise count as dead: their noise is set to it, so
that they are still checked but do not become the whole statistic."""

ROUNDING = 0.25
"""Least noise assumed, in units of the precision's epsilon times the size of the sketch: a strip that
never moved on this machine may still round differently on another."""


@dataclass(frozen=True)
class Calibration:
    """Scales that turn a residual into units of its tolerance.

    Attributes:
        noise: standard deviation of each sketch dimension over benign runs, float64 ``(SKETCH_DIM,)``.
        scales: tolerated norm of a residual divided by ``noise``, float64 ``(3,)`` in the order of ``KINDS``.
    """

    noise: Tensor
    scales: Tensor

    def normalise(self, residuals: Tensor, layout: Layout) -> Tensor:
        """Residuals ``(keys, SKETCH_DIM)`` to tile features ``(tiles, SKETCH_DIM)``; norm 1 is the tolerance."""
        features = layout.gather(residuals) / self.noise
        return features / self.scales[layout.kinds][:, None]


def calibrate(
    benign: Sequence[Tensor], reference: Tensor, layout: Layout, *, epsilon: float, safety: float = SAFETY
) -> Calibration:
    """Calibrate one strip.

    Args:
        benign: residuals of benign runs to the reference, float64 ``(keys, SKETCH_DIM)`` each.
        reference: sketches of the reference run, float64 ``(keys, SKETCH_DIM)``.
        layout: which tiles watch which means.
        epsilon: unit of rounding of the precision that was run.
        safety: tolerance over the largest benign deviation.

    Returns:
        The strip's calibration.
    """
    size = reference.norm(dim=1).median()
    width = reference.shape[1]
    least = max(ROUNDING * epsilon * float(size) / width**0.5, torch.finfo(torch.float64).tiny * 1e30)
    runs = torch.stack([*benign, torch.zeros_like(reference)])
    noise = runs.pow(2).mean((0, 1)).sqrt()
    noise = noise.clamp(min=max(float(noise.median()) * DEAD, least))
    kinds = layout.kinds
    norms = torch.stack([(layout.gather(run) / noise).norm(dim=1) for run in runs]).amax(0)
    # a residual of the least noise in every dimension, averaged as the tile averages it
    floors = least / float(noise.median()) * width**0.5 * torch.tensor([1.0, 8.0**-0.5, layout.keys**-0.5]).double()
    largest = torch.stack([norms[kinds == kind].max() for kind in range(len(KINDS))])
    return Calibration(noise=noise, scales=safety * torch.maximum(largest, floors))
