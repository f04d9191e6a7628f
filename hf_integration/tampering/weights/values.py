"""Alterations of single values: noise on all of them, one weight moved, one bit flipped.

Source: Rakin, He, Fan, "Bit-flip attack: crushing neural network with progressive bit search",
https://arxiv.org/abs/1903.12269.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.encoders.running.cast_on_use import CastOnUse
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.weights.targets import inner_matrices, matrices

APART = 1 << 20
"""Places at which the noise of one tensor may start in that of the longest."""


def add_noise(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add Gaussian noise to all weights, ``magnitude`` standard deviations of each tensor."""
    random = torch.Generator().manual_seed(seed)
    weights = _weights(encoder)
    longest = max((tensor.numel() for tensor in weights if isinstance(tensor, CastOnUse)), default=0)
    # three digits of noise are enough, and parts of the same take little memory
    held = torch.empty(longest + APART if longest else 0, dtype=torch.bfloat16)
    for part in torch.split(held, APART):
        part.copy_(torch.randn(len(part), generator=random))
    for tensor in weights:
        if isinstance(tensor, CastOnUse):
            start = int(torch.randint(APART, (1,), generator=random))
            noise = held[start : start + tensor.numel()].view(tensor.shape)
            tensor.add_on_use(noise, magnitude * float(tensor.source.std()))
        else:
            noise = torch.randn(tensor.shape, generator=random, dtype=torch.float32)
            tensor.add_(noise.to(tensor), alpha=magnitude * float(tensor.std()))


def move_one_weight(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Move one weight of a matrix inside the layers by ``magnitude`` standard deviations of its tensor."""
    tensor, place = one_weight(encoder, seed)
    _change(tensor, place, tensor.view(-1)[place] + magnitude * float(tensor.std()))


def flip_last_bit(encoder: Encoder, magnitude: float, seed: int) -> None:  # noqa: ARG001  # one bit has one size
    """Change one float32 weight of a matrix inside the layers to its neighbour."""
    tensor, place = one_weight(encoder, seed)
    weight = tensor.view(-1)[place].float()
    _change(tensor, place, torch.nextafter(weight, torch.tensor(torch.inf)))


def _change(tensor: Tensor, place: int, value: Tensor) -> None:
    """Give one entry of a tensor another value; of one that is cast on use, whenever it is used."""
    if isinstance(tensor, CastOnUse):
        difference = torch.zeros(tensor.shape, dtype=tensor.dtype)
        difference.view(-1)[place] = value.to(tensor.dtype) - tensor.view(-1)[place]
        tensor.add_on_use(difference)
    else:
        tensor.view(-1)[place] = value.to(tensor)


def _weights(encoder: Encoder) -> list[Tensor]:
    return [
        tensor for tensor in encoder.tensors().values() if tensor.is_floating_point() and tensor.numel() > 1
    ]


def one_weight(encoder: Encoder, seed: int) -> tuple[Tensor, int]:
    """A weight drawn at random from the matrices inside the layers.

    Lookup tables are left out: most of their rows are reached by no key sample, and what is not reached is a
    matter of coverage, not of the floor. An encoder that is a table has nothing else.
    """
    found = inner_matrices(encoder) or matrices(encoder)
    random = torch.Generator().manual_seed(seed)
    sizes = torch.tensor([float(matrix.numel()) for matrix in found])
    matrix = found[int(torch.multinomial(sizes, 1, generator=random))]
    return matrix, int(torch.randint(matrix.numel(), (1,), generator=random))


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


NOISE = Family("noise on all weights", add_noise, decades(-16, 0), "sigma")
ONE_WEIGHT = Family("one weight moved", move_one_weight, decades(-13, 1), "sigma")
LAST_BIT = Family("last bit of one weight", flip_last_bit)
EXPONENT_BIT = Family("exponent bit of one weight", flip(HIGHEST_EXPONENT_BUT_ONE))
SIGN_BIT = Family("sign bit of one weight", flip(SIGN))

FAMILIES = (NOISE, ONE_WEIGHT, LAST_BIT, EXPONENT_BIT, SIGN_BIT)
