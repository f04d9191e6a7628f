"""Comparing a reconstructed watermark with the expected one, tile by tile."""

import torch
from torch import Tensor

from hf_integration.watermark.deterministic import normals
from hf_integration.watermark.generator import Generator
from hf_integration.watermark.sketch import SKETCH_DIM

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
