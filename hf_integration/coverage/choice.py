"""Choosing, out of many candidates, the key samples that wake the most of an encoder."""

from collections.abc import Sequence

import torch
from torch import Tensor

AWAKE = 0.1
"""Activation, relative to its layer's root mean square, beyond which more of one sample is worth nothing."""

ASLEEP = 1e-9
"""Activation that counts as none: rounding of zero."""


def choose(activations: Tensor, count: int, costs: Sequence[float]) -> list[int]:
    """Pick samples greedily by how much they raise the logarithms of the channels' total activations.

    A weight is seen where its input and its output are awake at once. So one sample per channel is not
    enough, and a channel that few samples wake is worth a second and a third one: a total does that, and its
    logarithm has diminishing returns, with which the greedy choice among candidates of equal cost reaches at
    least 63 % of the best one (Nemhauser, Wolsey, Fisher, "An analysis of approximations for maximizing
    submodular set functions", 1978); among unequal ones nothing is promised. Against the largest activation
    instead of the total it halved the weights of a convolutional encoder that no sample moved.

    Args:
        activations: as :func:`largest_activations` gives them, ``(candidates, channels)``.
        count: how many to pick.
        costs: what running each candidate costs, in any unit; gain per cost decides.

    Returns:
        Positions in the order of choice.
    """
    levels = activations.clamp(max=AWAKE)
    totals = torch.full((levels.shape[1],), ASLEEP)
    price = torch.tensor(costs, dtype=torch.float32)
    taken = torch.zeros(len(levels), dtype=torch.bool)
    chosen: list[int] = []
    for _ in range(min(count, len(levels))):
        gains = torch.log1p(levels / totals).sum(1) / price
        best = int(gains.masked_fill(taken, -torch.inf).argmax())
        chosen.append(best)
        taken[best] = True
        totals += levels[best]
    return chosen
