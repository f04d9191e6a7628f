"""Patches of a convolution's input: the vectors that its filters are multiplied with."""

from typing import Any

import torch
from torch import Tensor, nn

Layer = nn.Linear | nn.Conv1d | nn.Conv2d
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers that multiply their weights with vectors of their input."""


def width_of(layer: Layer) -> int:
    """Length of the vectors that a layer's weights are multiplied with."""
    return layer.in_features if isinstance(layer, nn.Linear) else layer.weight[0].numel()


def patches(layer: nn.Conv1d | nn.Conv2d, given: Tensor) -> Tensor:
    """Patches of a convolution's input, at the positions where its filters are applied.

    Args:
        layer: the convolution.
        given: its input, ``(samples, channels, *space)``.

    Returns:
        ``(samples x positions, groups, width)``; ``layer.weight.flatten(1)`` times them are its outputs
        before the bias.
    """
    padding: Any = layer._reversed_padding_repeated_twice  # the one place where "same" is resolved
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    view = nn.functional.pad(given, padding, mode=mode)
    space = range(2, given.ndim)
    for axis, size, stride, dilation in zip(
        space, layer.kernel_size, layer.stride, layer.dilation, strict=True
    ):
        view = view.unfold(axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
    # (samples, channels, *positions, *kernel) -> (samples, *positions, channels, *kernel)
    order = [0, *space, 1, *range(given.ndim, view.ndim)]
    return torch.reshape(view.permute(order), (-1, layer.groups, width_of(layer)))
