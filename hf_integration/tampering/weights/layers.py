"""Alterations of one row, bias or scale of a layer, and of whole layers."""

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.weights.targets import (
    biases,
    first_filters,
    like_layers,
    normalisations,
    pick,
    running_statistics,
    tables,
)


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


def swap(encoder: Encoder, _: float, seed: int) -> None:
    """Exchange the weights of two layers that follow each other."""
    pairs = like_layers(encoder)
    first, second = pairs[pick(len(pairs), seed)]
    others = dict(second.named_parameters())
    for name, parameter in first.named_parameters():
        kept = parameter.detach().clone()
        parameter.copy_(others[name])
        others[name].copy_(kept)


def reinitialise(encoder: Encoder, _: float, seed: int) -> None:
    """Draw the matrices of one layer anew, with the deviation that they had."""
    random = torch.Generator().manual_seed(seed)
    pairs = like_layers(encoder)
    layer, _other = pairs[pick(len(pairs), seed)]
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            drawn = torch.randn(parameter.shape, generator=random) * parameter.float().std()
            parameter.copy_(drawn.to(parameter))


def one_bias(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Move one entry of one bias; ``magnitude`` is in root mean squares of that bias."""
    found = biases(encoder)
    bias = found[pick(len(found), seed)]
    bias[pick(len(bias), seed + 1)] += magnitude * float(bias.float().pow(2).mean().sqrt())


def one_scale(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Change one scale of one normalisation layer; ``magnitude`` is relative to it.

    Source: Frankle, Schwab, Morcos, "Training BatchNorm and only BatchNorm", https://arxiv.org/abs/2003.00152,
    for how much such few numbers can do.
    """
    found = normalisations(encoder)
    scales = found[pick(len(found), seed)]
    scales[pick(len(scales), seed + 1)] *= 1 + magnitude


def statistics(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Shift running means and stretch running variances of batch normalisations, as other data would.

    ``magnitude`` is in standard deviations of each channel for the mean, and relative for the variance.

    Source: Li, Wang, Shi, Liu, Hou, "Revisiting batch normalization for practical domain adaptation",
    https://arxiv.org/abs/1603.04779.
    """
    random = torch.Generator().manual_seed(seed)
    for mean, variance in running_statistics(encoder):
        mean.add_(magnitude * variance.sqrt() * torch.randn(mean.shape, generator=random).to(mean))
        variance.mul_(1 + magnitude * torch.rand(variance.shape, generator=random).to(variance))


TABLE_ROW = Family("row of the vocabulary", table_row, decades(-13, 0), "of its norm", tables)
FIRST_FILTER = Family(
    "filter of the first convolution", first_filter, decades(-13, 0), "of its norm", first_filters
)
BIAS = Family("one bias", one_bias, decades(-13, 0), "of its size", biases)
SCALE = Family("one scale of a normalisation", one_scale, decades(-13, 0), "of itself", normalisations)
STATISTICS = Family(
    "running statistics", statistics, decades(-13, 0), "standard deviations", running_statistics
)
SWAP = Family("two layers exchanged", swap, parts=like_layers)
REINITIALISED = Family("one layer drawn anew", reinitialise, parts=like_layers)

FAMILIES = (TABLE_ROW, FIRST_FILTER, BIAS, SCALE, STATISTICS, SWAP, REINITIALISED)
