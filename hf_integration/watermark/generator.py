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
        head: trained weights, float32 tensor with shape ``(features, width)``; see :func:`targets`.
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
        return tile_masks(self.layout, self.seed, self.head.shape[1])

    def hidden(self, features: Tensor) -> Tensor:
        """Cosine units for tile features ``(..., tiles, SKETCH_DIM)``: ``(..., tiles, units)`` in float64."""
        units = self._phases.shape[1]
        waves = torch.cos(features.double() @ self._frequencies + self._phases)
        return waves * math.sqrt(2 / units)

    def picture(self, tiles: Tensor) -> Tensor:
        """What a person is shown of generated tiles, float64 ``(side, side)``, ±1 for white and black."""
        return self.layout.assemble(tiles[:, : self.layout.tile**2])

    def __call__(self, features: Tensor) -> Tensor:
        """Generated tiles, float64 ``(..., tiles, width)``: the :func:`targets` where all is intact."""
        return (self.hidden(features) @ self.head.double()) * self._masks


def targets(watermark: Tensor, layout: Layout) -> Tensor:
    """What the generator shall draw, tile by tile.

    A grey pixel has little to lose, and a middle grey one nothing: its tile would stay intact whatever
    happened to the encoder. So each pixel is a point of a half circle. Its grey is one coordinate, and where
    that leaves something of the radius, the other one is drawn as well, though never shown. Then all
    pixels count the same, and an error means what it means in black and white.

    Args:
        watermark: picture from -1 (black) to 1 (white), float64 with shape ``(side, side)``.
        layout: its tiles.

    Returns:
        Float64 ``(tiles, width)``: a pixel's grey, and for pictures that have any, then its other coordinate.
    """
    tiles = layout.cut(watermark)
    other = (1 - tiles.pow(2)).sqrt()
    return torch.cat([tiles, other], 1) if other.any() else tiles


def tile_masks(layout: Layout, seed: int, width: int = TILE**2) -> Tensor:
    """One sign per number that is drawn, float64 ``(tiles, width)``.

    The head learns masked tiles: without masks, tiles that look alike (a white background) would be learned
    as one, and would survive a deviation that scrambles the others.
    """
    return signs(seed, "masks", layout.tiles * width).view(layout.tiles, width)


def train(watermark: Tensor, layout: Layout, *, seed: int) -> Generator:
    """Train the head in closed form (ridge regression) to draw the watermark for the reference features.

    Features are residuals to the reference, so the reference itself is the zero feature. Adding benign runs
    as further training points was tried: it did not lower the error of held-out benign runs, and with as
    many points as units it raised it by half.

    Args:
        watermark: as for :func:`targets`.
        layout: its tiles.
        seed: the card's seed.

    Returns:
        The trained generator.
    """
    units = Generator.features(layout)
    target = targets(watermark.double(), layout)
    width = target.shape[1]
    blank = Generator(layout, seed, torch.zeros(units, width))
    target = target * tile_masks(layout, seed, width)
    hidden = blank.hidden(torch.zeros(layout.tiles, SKETCH_DIM))
    # the dual form: as many equations as tiles, not as units
    gram = hidden @ hidden.T + RIDGE * torch.eye(layout.tiles, dtype=torch.float64)
    return Generator(layout, seed, (hidden.T @ torch.linalg.solve(gram, target)).float())


DIRECTIONS = 64
"""Random directions over which the error at the edge of the tolerance is averaged."""

FINE_EDGE = 0.9
"""Where the edge is for larger tiles, in tolerances. Chance evens out over many pixels, so the worst of them
would break up to 8 % further out than the worst of the usual ones (``tests/watermark/test_grey.py``)."""


def tile_errors(reconstructed: Tensor, expected: Tensor) -> Tensor:
    """Root mean square difference of each tile, in units of the watermark's contrast.

    Args:
        reconstructed: generated tiles, float64 ``(tiles, width)``.
        expected: the watermark's :func:`targets`, same shape.

    Returns:
        Float64 ``(tiles,)``: 0 is exact, about 1 is noise, infinite where the reconstruction is not a number.
    """
    errors = ((reconstructed - expected).pow(2).sum(-1) / expected.pow(2).sum(-1)).sqrt()
    return torch.where(errors.isfinite(), errors, torch.inf)


def edge_error(generator: Generator, expected: Tensor, *, seed: int) -> float:
    """Mean tile error of features that lie exactly on the edge of the tolerance.

    This turns the radius in feature space, where tolerances are calibrated, into an error in the picture,
    where the verdict is taken.
    """
    tiles = expected.shape[0]
    directions = normals(seed, "edge", DIRECTIONS * tiles, SKETCH_DIM).view(DIRECTIONS, tiles, SKETCH_DIM)
    features = directions / directions.norm(dim=-1, keepdim=True)
    if generator.layout.tile > TILE:
        features *= FINE_EDGE
    return float(torch.stack([tile_errors(generator(run), expected).mean() for run in features]).mean())
