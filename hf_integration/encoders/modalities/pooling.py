"""From many positions to one vector per sample, in float64.

Every function takes ``states`` with shape ``(batch, positions, dim)`` and ``mask`` with shape
``(batch, positions)``, non-zero where a position is real (``None``: all are), and gives a float64 tensor
with shape ``(batch, dim)``. The conversion to float64 comes first: summing in the encoder's own precision
would add noise that belongs to the pooling and not to the encoder.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Pool = Callable[[Tensor, Tensor | None], Tensor]


def _weights(states: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return torch.ones(states.shape[:2], dtype=torch.float64, device=states.device)
    return mask.to(device=states.device, dtype=torch.float64)


def _weighted_sum(states: Tensor, weights: Tensor) -> Tensor:
    # A matrix product with the mask: no masked copy of the states is made.
    return torch.bmm(weights.unsqueeze(1), states.double()).squeeze(1)


def mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the real positions."""
    weights = _weights(states, mask)
    return _weighted_sum(states, weights) / weights.sum(1, keepdim=True).clamp(min=1e-9)


def mean_sqrt_len(states: Tensor, mask: Tensor | None) -> Tensor:
    """Sum over the real positions, divided by the square root of their number."""
    weights = _weights(states, mask)
    return _weighted_sum(states, weights) / weights.sum(1, keepdim=True).clamp(min=1e-9).sqrt()


def weighted_mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the real positions, position 1 weighted 1, position 2 weighted 2, and so on.

    Positions are those of the text, of which a prompt at its beginning may be left out; padding is behind it.
    """
    keep = _weights(states, mask)
    weights = keep * torch.arange(1, keep.shape[1] + 1, dtype=keep.dtype, device=keep.device)
    return _weighted_sum(states, weights) / weights.sum(1, keepdim=True).clamp(min=1e-9)


def maximum(states: Tensor, mask: Tensor | None) -> Tensor:
    """Largest value over the real positions, dimension by dimension."""
    keep = _weights(states, mask).bool().unsqueeze(2)
    return states.double().masked_fill(~keep, float("-inf")).amax(1)


def first(states: Tensor, mask: Tensor | None) -> Tensor:
    """The first real position, where BERT-like models put their class token."""
    if mask is None:
        return states[:, 0].double()
    index = mask.to(states.device).int().argmax(1)
    return states[torch.arange(len(states), device=states.device), index].double()


def last(states: Tensor, mask: Tensor | None) -> Tensor:
    """The last real position, which has seen all others in a causal model."""
    if mask is None:
        return states[:, -1].double()
    index = states.shape[1] - 1 - mask.to(states.device).flip(1).int().argmax(1)
    return states[torch.arange(len(states), device=states.device), index].double()


def hidden_state(states: Tensor, mask: Tensor | None) -> Tensor:
    """Pool one hidden state of any rank: feature maps ``(batch, C, H, W)`` over H and W, tokens by mean.

    A mask that does not fit the positions (a state before merging or striding) is ignored: all count.
    """
    if states.ndim == 4:
        return states.double().mean((2, 3))
    if states.ndim == 2:
        return states.double()
    return mean(states, mask if mask is not None and mask.shape[1] == states.shape[1] else None)
