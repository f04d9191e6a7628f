"""Simulated alterations of the self-check: small edits of a copy's weights, made in place."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.encoders.interface import Encoder, Precision


def add_noise(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add Gaussian noise to all weights, ``magnitude`` standard deviations of each tensor."""
    random = torch.Generator().manual_seed(seed)
    for tensor in _weights(encoder):
        noise = torch.randn(tensor.shape, generator=random, dtype=torch.float32).to(tensor)
        tensor.add_(noise, alpha=magnitude * float(tensor.std()))


def move_one_weight(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Move one weight of a matrix inside the layers by ``magnitude`` standard deviations of its tensor."""
    tensor, place = one_weight(encoder, seed)
    tensor.view(-1)[place] += magnitude * float(tensor.std())


def flip_last_bit(encoder: Encoder, magnitude: float, seed: int) -> None:  # noqa: ARG001  # one bit has one size
    """Change one float32 weight of a matrix inside the layers to its neighbour."""
    tensor, place = one_weight(encoder, seed)
    weight = tensor.view(-1)[place]
    tensor.view(-1)[place] = torch.nextafter(weight.float(), torch.tensor(torch.inf)).to(tensor)


def _weights(encoder: Encoder) -> list[Tensor]:
    return [
        tensor for tensor in encoder.tensors().values() if tensor.is_floating_point() and tensor.numel() > 1
    ]


def one_weight(encoder: Encoder, seed: int) -> tuple[Tensor, int]:
    """A weight drawn at random from the matrices inside the layers.

    Lookup tables are left out: most of their rows are reached by no key sample, and what is not reached is a
    matter of coverage, not of the floor.
    """
    matrices = [
        t for n, t in encoder.tensors().items() if t.is_floating_point() and t.dim() > 1 and "embed" not in n
    ]
    random = torch.Generator().manual_seed(seed)
    sizes = torch.tensor([float(matrix.numel()) for matrix in matrices])
    matrix = matrices[int(torch.multinomial(sizes, 1, generator=random))]
    return matrix, int(torch.randint(matrix.numel(), (1,), generator=random))


@dataclass(frozen=True)
class Simulation:
    """One kind of alteration with the magnitudes that are tried, smallest first.

    Attributes:
        name: for the card and for people.
        alter: edits a copy in place.
        magnitudes: in the unit that ``alter`` documents.
        single: whether a single weight is drawn, which may be one that cannot matter.
    """

    name: str
    alter: Callable[[Encoder, float, int], None]
    magnitudes: tuple[float, ...]
    single: bool = False


NOISE = "noise on all weights, in standard deviations"
ONE_WEIGHT = "one weight moved, in standard deviations"
LAST_BIT = "last bit of one float32 weight, in bits"

SIMULATIONS: dict[Precision, tuple[Simulation, ...]] = {
    "float64": (
        Simulation(LAST_BIT, flip_last_bit, (1.0,), single=True),
        Simulation(NOISE, add_noise, (1e-12, 1e-9)),
    ),
    "float32": (
        Simulation(ONE_WEIGHT, move_one_weight, (1e-3, 1e-2, 1e-1, 1.0), single=True),
        Simulation(NOISE, add_noise, (1e-6, 1e-5, 1e-4)),
    ),
    "float16": (Simulation(NOISE, add_noise, (1e-3, 1e-2, 1e-1)),),
    "bfloat16": (Simulation(NOISE, add_noise, (1e-2, 3e-2, 1e-1)),),
}
