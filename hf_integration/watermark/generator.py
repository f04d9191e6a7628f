"""The generative network that turns the deviation of an encoder's strip into a picture.

A network with one hidden layer: fixed random frequencies, cosine units, a trained linear head. Such random
Fourier features approximate a Gaussian kernel, which gives a *chosen* radius of fragility: within the
tolerance the head reproduces the watermark, beyond it the cosines lose their phases and what comes out is
noise. A decoder trained by plain regression is not fragile: it reconstructed the watermark almost unchanged
after a tenth of the weights was pruned away.

Source of the features: Rahimi and Recht, "Random features for large-scale kernel machines", 2007.
Source of the idea to authenticate an encoder by a generated watermark: SSL-Auth, arXiv 2308.04673; the
architecture and the training are ours, the paper's are not public.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from hf_integration.watermark.calibration import TILE, Layout
from hf_integration.watermark.sketch import SKETCH_DIM, normals, phases, signs

RADIUS = 1.5
"""Length scale of the kernel, in tolerances: at 1.5 tolerances the correlation has fallen to exp(-1/2)."""

FEATURES_PER_TILE = 6
"""Cosine units per tile: with fewer the tiles are not independent, with more the card only grows."""

RIDGE = 1e-9
"""Weight decay of the head: small, as the cosine units of different tiles are nearly orthogonal."""


@dataclass(frozen=True)
class Generator:
    """Maps each tile's feature to that tile's pixels.

    Attributes:
        layout: the tiles.
        seed: the frequencies, phases and masks follow from it.
        head: trained weights, float32 tensor with shape ``(features, TILE * TILE)``.
    """

    layout: Layout
    seed: int = field(repr=False)  # may be secret
    head: Tensor = field(repr=False)

    @staticmethod
    def features(layout: Layout) -> int:
        """Number of cosine units for a layout."""
        return FEATURES_PER_TILE * layout.tiles

    @cached_property
    def _frequencies(self) -> Tensor:
        return normals(self.seed, "frequencies", SKETCH_DIM, self.features(self.layout)) / RADIUS

    @cached_property
    def _phases(self) -> Tensor:
        return phases(self.seed, "phases", self.layout.tiles, self.features(self.layout))

    @cached_property
    def _masks(self) -> Tensor:
        return tile_masks(self.layout, self.seed)

    def hidden(self, features: Tensor) -> Tensor:
        """Cosine units for tile features ``(..., tiles, SKETCH_DIM)``: ``(..., tiles, units)`` in float64."""
        units = self._phases.shape[1]
        waves = torch.cos(features.double() @ self._frequencies + self._phases)
        return waves * math.sqrt(2 / units)

    def __call__(self, features: Tensor) -> Tensor:
        """Generated tiles, float64 ``(..., tiles, TILE * TILE)``: ±1 where the watermark is intact."""
        return (self.hidden(features) @ self.head.double()) * self._masks


def tile_masks(layout: Layout, seed: int) -> Tensor:
    """One sign per pixel, float64 ``(tiles, TILE * TILE)``.

    The head learns masked tiles: without masks, tiles that look alike (a white background) would be learned
    as one, and would survive a deviation that scrambles the others.
    """
    return signs(seed, "masks", layout.tiles * TILE * TILE).view(layout.tiles, TILE * TILE)


def train(watermark: Tensor, layout: Layout, *, seed: int) -> Generator:
    """Train the head in closed form (ridge regression) to draw the watermark for the reference features.

    Features are residuals to the reference, so the reference itself is the zero feature. Adding benign runs
    as further training points was tried: it did not lower the error of held-out benign runs, and with as
    many points as units it raised it by half.

    Args:
        watermark: picture of ±1, float64 with shape ``(side, side)``.
        layout: its tiles.
        seed: the card's seed.

    Returns:
        The trained generator.
    """
    units = Generator.features(layout)
    blank = Generator(layout, seed, torch.zeros(units, TILE * TILE))
    target = layout.cut(watermark.double()) * tile_masks(layout, seed)
    hidden = blank.hidden(torch.zeros(layout.tiles, SKETCH_DIM))
    # the dual form: as many equations as tiles, not as units
    gram = hidden @ hidden.T + RIDGE * torch.eye(layout.tiles, dtype=torch.float64)
    return Generator(layout, seed, (hidden.T @ torch.linalg.solve(gram, target)).float())


DIRECTIONS = 64
"""Random directions over which the error at the edge of the tolerance is averaged."""


def tile_errors(reconstructed: Tensor, expected: Tensor) -> Tensor:
    """Root mean square difference of each tile, in units of the watermark's contrast.

    Args:
        reconstructed: generated tiles, float64 ``(tiles, pixels)``.
        expected: the watermark's tiles of ±1, same shape.

    Returns:
        Float64 ``(tiles,)``: 0 is exact, about 1 is noise, infinite where the reconstruction is not a number.
    """
    errors = (reconstructed - expected).pow(2).mean(-1).sqrt()
    return torch.where(errors.isfinite(), errors, torch.inf)


def edge_error(generator: Generator, expected: Tensor, *, seed: int) -> float:
    """Mean tile error of features that lie exactly on the edge of the tolerance.

    This turns the radius in feature space, where tolerances are calibrated, into an error in the picture,
    where the verdict is taken.
    """
    tiles = expected.shape[0]
    directions = normals(seed, "edge", DIRECTIONS * tiles, SKETCH_DIM).view(DIRECTIONS, tiles, SKETCH_DIM)
    features = directions / directions.norm(dim=-1, keepdim=True)
    return float(torch.stack([tile_errors(generator(run), expected).mean() for run in features]).mean())
