"""Sketching: a strip's feature of any width becomes a short vector, by signs and sums alone.

The streams of random generators differ between releases and devices, and a card must mean the same
numbers everywhere, so projections, frequencies, phases and masks come from here.
"""

import hashlib
import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


def uniform_bytes(seed: int, label: str, count: int) -> Tensor:
    """Uniform bytes, uint8 tensor with shape ``(count,)``: SHA-256 in counter mode."""
    prefix = f"sslauth/1/{seed}/{label}/".encode()
    blocks = (hashlib.sha256(prefix + str(block).encode()).digest() for block in range(-(-count // 32)))
    return torch.frombuffer(bytearray(b"".join(blocks)), dtype=torch.uint8)[:count]


def signs(seed: int, label: str, count: int) -> Tensor:
    """Fair signs, float64 tensor of ±1 with shape ``(count,)``."""
    packed = uniform_bytes(seed, label, -(-count // 8))
    bits = (packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
    fair: Tensor = bits.flatten()[:count].double() * 2 - 1
    return fair


def phases(seed: int, label: str, rows: int, columns: int) -> Tensor:
    """Uniform angles in radians within [0, 2 pi), float64 tensor with shape ``(rows, columns)``."""
    pairs = uniform_bytes(seed, label, 2 * rows * columns).double().view(2, rows, columns)
    angles: Tensor = (pairs[0] * 256 + pairs[1]) * (2 * math.pi / 65536)
    return angles


def normals(seed: int, label: str, rows: int, columns: int) -> Tensor:
    """Nearly normal numbers of zero mean and unit variance, float64 tensor ``(rows, columns)``.

    Sums of four uniform bytes (Irwin-Hall): integers, so exact everywhere, and of many distinct
    magnitudes, so that a deviation along a single axis does not run into a common period of all cosines.
    """
    total = uniform_bytes(seed, label, 4 * rows * columns).double().view(4, rows, columns).sum(0)
    return (total - 510) / math.sqrt(4 * (256**2 - 1) / 12)


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
