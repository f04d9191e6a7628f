"""Simulated alterations of the self-check: small edits of a copy's weights, made in place."""

from collections.abc import Callable
from dataclasses import dataclass

from hf_integration.base.vocabulary import Precision
from hf_integration.encoders.interface import Encoder
from hf_integration.tampering.weights.values import add_noise, flip_last_bit, move_one_weight


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
