"""Whole layers: exchanged, or trained anew from nothing."""

import torch

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.selection import like_layers, pick


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
