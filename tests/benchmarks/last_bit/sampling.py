"""Which weights are altered, and how: the last bit of a float32, in place, and back."""

import bisect
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from hf_integration.coverage.sensitivity import EDIT, Sensitivity, size_of
from hf_integration.encoders import Encoder


@dataclass(frozen=True)
class Weight:
    """One scalar of a tensor.

    Attributes:
        tensor: its name.
        place: index into the flattened tensor.
    """

    tensor: str
    place: int


def weights_of(encoder: Encoder) -> dict[str, Tensor]:
    """Floating matrices, filters and tables that count."""
    return {
        name: tensor
        for name, tensor in encoder.tensors().items()
        if tensor.is_floating_point() and tensor.dim() > 1
    }


def covered_places(tensors: Mapping[str, Tensor], sensitivity: Sensitivity) -> dict[str, Tensor]:
    """Indices of the covered scalars of each tensor, flattened, int64 ``(covered,)``."""
    return {
        name: (sensitivity.reaction(name).flatten() * (EDIT * size_of(tensor)) >= 1).nonzero().flatten()
        for name, tensor in tensors.items()
        if name in sensitivity.sizes
    }


def draw(places: Mapping[str, Tensor], count: int, *, seed: int) -> list[Weight]:
    """Draw different weights, each as likely as any other; all of them if there are fewer.

    Args:
        places: tensor's name -> indices to draw from.
        count: how many.
        seed: the draw follows from it.
    """
    ends = list(accumulate(len(indices) for indices in places.values()))
    names = list(places)
    total = ends[-1] if ends else 0
    drawn = random.Random(seed).sample(range(total), min(count, total))  # noqa: S311  # not a secret
    weights = []
    for position in sorted(drawn):
        index = bisect.bisect_right(ends, position)
        start = ends[index - 1] if index else 0
        weights.append(Weight(names[index], int(places[names[index]][position - start])))
    return weights


@contextmanager
def last_bit_changed(tensor: Tensor, place: int) -> Iterator[None]:
    """Flip the last mantissa bit that one weight has as a float32; the old value comes back to the bit.

    Args:
        tensor: float64 values that a float32 holds exactly.
        place: index into the flattened tensor.
    """
    flat = tensor.view(-1)
    old = flat[place].clone()
    flat[place] = last_bit_flipped(old)
    try:
        yield
    finally:
        flat[place] = old


def last_bit_flipped(value: Tensor) -> Tensor:
    """The neighbour of a float32, as a scalar tensor of the same dtype."""
    single = value.float().reshape(1)
    single.view(torch.int32).bitwise_xor_(torch.tensor([1], dtype=torch.int32))
    return single[0].to(value.dtype)
