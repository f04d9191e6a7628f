"""One row of a table or one filter: what a word, a patch or a stretch of sound is first turned into."""

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.selection import first_filters, pick, tables


def table_row(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add noise to one row of the vocabulary's table; ``magnitude`` is its norm over the row's.

    Source: Yang, Li, Zhang, Ren, Sun, He, "Be careful about poisoned word embeddings",
    https://arxiv.org/abs/2103.15543.
    """
    _shift_one(tables(encoder)[0], magnitude, seed)


def first_filter(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add noise to one filter of the first convolution (patches, pixels, waveform), relative to its norm."""
    _shift_one(first_filters(encoder), magnitude, seed)


def _shift_one(rows: Tensor, magnitude: float, seed: int) -> None:
    row = rows[pick(len(rows), seed)]
    noise = torch.randn(row.shape, generator=torch.Generator().manual_seed(seed)).to(row)
    row += noise * (magnitude * row.norm() / noise.norm())
