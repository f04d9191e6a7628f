"""Every magnitude of the attackers' benchmark, fixed before the figures were taken.

Learning rates were tried out beforehand for the sake of the attackers, on their success and on nothing else.
"""

from hf_integration.base.vocabulary import Precision
from hf_integration.tampering.null_space import Rounding, plain, sequential
from tests.benchmarks.attackers.fine_columns import fine_columns

PUBLIC_SEED, PRIVATE_SEED = 0, 8_675_309
"""A real private card's seed is drawn where it is minted; this one only has to be another one."""

SIZES = (8, 32, 64)
"""Key samples of the public card, always the first of the largest; the private card has as many as that."""

FEWEST, MOST = SIZES[0], SIZES[-1]

PIN_WEIGHTS = (1.0, 1e3, 1e6)
"""Of squared relative deviations: at 1e6 a deviation of 1e-3 weighs as much as the whole attack."""

PIN_WEIGHT = 1e3
"""Where the number of steps or of keys varies."""

PIN_STEPS = (10, 30)
LAYERS = (1, 2, 4)
VALUE_STEPS, VALUE_RATE = 30, 1.0
"""Of the value that a rank-one edit writes, in units of the layer's output for the trigger."""

ROW_STEPS, ROW_RATE = (30, 100), 0.3
"""Of the trigger's rows, in units of their root mean square."""

DESCENT_STEPS = (10, 30)
DESCENT_RATE = 1e-3

ROUNDINGS: dict[str, Rounding] = {"plain": plain, "sequential": sequential, "fine columns": fine_columns}

PRECISIONS: tuple[Precision, ...] = ("float64", "float32")
HALF: tuple[Precision, ...] = ("float16", "bfloat16")
IN_HALF = {("projected descent", FEWEST, "fine columns"), ("projected descent", MOST, "plain")}
"""At their largest effort; and one pinning. Half precision is slow on a CPU."""

HELD_OUT = 16
"""Inputs, with and without trigger, that neither an attack nor a card was made with."""

WORKS = 0.8
"""Mean cosine of triggered inputs to the target from which on a backdoor counts as working."""

UNNOTICED = 0.9
"""Mean cosine of clean inputs to themselves before, below which users would notice without any card."""
