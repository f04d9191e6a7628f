"""Biases, normalisation layers and their running statistics: few numbers that reach everything after them."""

import torch

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.selection import biases, normalisations, pick, running_statistics


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
