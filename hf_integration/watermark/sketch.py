"""Sketching: a strip's feature of any width becomes a short vector, by signs and sums alone."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.watermark.deterministic import signs

SKETCH_DIM = 64
"""Width of a sketch."""


@lru_cache(maxsize=512)
def _signs(seed: int, strip: str, width: int) -> Tensor:
    with torch.inference_mode(False):  # kept for whoever comes next, who may want gradients
        return signs(seed, f"sketch/{strip}", width)


def sketch(feature: Tensor, *, seed: int, strip: str) -> Tensor:
    """Count sketch of one strip's features.

    Every coordinate gets a sign and is added to bucket ``index mod SKETCH_DIM``, so squared norms are kept in
    expectation, each coordinate reaches exactly one bucket, and a coordinate with large rounding noise
    spoils that bucket only. Signs come from SHA-256, not from a generator whose bits differ between builds.

    Args:
        feature: float64 tensor with shape ``(batch, width)``.
        seed: the card's seed.
        strip: the strip's name; every strip has signs of its own.

    Returns:
        Float64 tensor with shape ``(batch, SKETCH_DIM)``.

    Source: Charikar, Chen, Farach-Colton, "Finding frequent items in data streams", 2002.
    """
    width = feature.shape[1]
    signed = feature.double() * _signs(seed, strip, width)
    padded = F.pad(signed, (0, -width % SKETCH_DIM))
    return padded.view(len(feature), -1, SKETCH_DIM).sum(1, dtype=torch.float64)
