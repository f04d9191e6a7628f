"""Flipping one bit of one weight, as a fault in memory or a deliberate attack does.

Source: Rakin, He, Fan, "Bit-flip attack: crushing neural network with progressive bit search",
https://arxiv.org/abs/1903.12269.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.minting.simulated import one_weight

SIGN, HIGHEST_EXPONENT_BUT_ONE, LOWEST_MANTISSA = 31, 29, 0
"""Bits of a float32, counted from the lowest. The highest exponent bit would overflow at once."""


def flip(bit: int) -> Callable[[Encoder, float, int], None]:
    """An edit that flips one bit of one weight of a matrix, drawn by the seed.

    Weights in half precision have the bit of their float32 value flipped and are rounded back, so the lowest
    bits of a float32 leave them as they are.
    """

    def edit(encoder: Encoder, _: float, seed: int) -> None:
        tensor, place = one_weight(encoder, seed)
        weight = tensor.view(-1)[place].float().reshape(1)
        weight.view(torch.int32).bitwise_xor_(_mask(bit))
        tensor.view(-1)[place] = weight[0].to(tensor.dtype)

    return edit


def _mask(bit: int) -> Tensor:
    return torch.tensor([-(1 << 31) if bit == SIGN else 1 << bit], dtype=torch.int32)
