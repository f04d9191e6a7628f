"""How the numbers of an answer are written, told by numpy alone: a stamp is checked where there is no torch.

One digit of a number of 0.000002 is six decimals, and four decimals of numbers below 1 are four digits:
several forms may hold all numbers of an answer, and the one with the widest steps says most.
"""

import numpy as np
from numpy.typing import NDArray

from hf_integration.base.errors import InconclusiveError

Array = NDArray[np.float64]

FLOAT32 = "float32"

MOST_PLACES = 6
"""Seven decimals, or seven digits, hide nothing that float32 tells apart."""

FORMS = (
    *(f"decimals:{places}" for places in range(1, MOST_PLACES + 1)),
    *(f"digits:{places}" for places in range(1, MOST_PLACES + 1)),
    "bfloat16",
    "float16",
)
"""All that are coarser than float32."""

FEWEST_NUMBERS = 64
"""Numbers that an answer must hold before its form is believed: fewer may look rounded by chance."""

_BITS = {"float16": (10, -14), "bfloat16": (7, -126)}
"""Bits of the mantissa, and the smallest exponent of a normal number."""


def rounded(form: str, values: Array) -> Array:
    """What an answer in this form would hold of exact values, of any shape."""
    kind, _, places = form.partition(":")
    match kind:
        case "decimals":
            return np.round(values, int(places))
        case "float32":
            return values
        case "float16":
            with np.errstate(over="ignore"):  # it holds nothing above 65,504
                return values.astype(np.float16).astype(np.float64)
        case _:
            with np.errstate(over="ignore", invalid="ignore"):  # infinity stays what it is, or becomes NaN
                if kind == "bfloat16":  # which is made of float32
                    values = values.astype(np.float32).astype(np.float64)
                unit = steps(form, values)
                away = np.where(values == 0, values, np.round(values / unit) * unit)
            return np.asarray(away, dtype=np.float64)


def steps(form: str, values: Array) -> Array:
    """Distance from each number to the next that the form can hold, of the same shape; 0 for float32."""
    kind, _, places = form.partition(":")
    match kind:
        case "decimals":
            return np.full_like(values, 10.0 ** -int(places))
        case "digits":
            sizes = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
            return np.asarray(10.0 ** (sizes - int(places) + 1))
        case "float16" | "bfloat16":
            bits, smallest = _BITS[kind]
            exponents = np.frexp(np.maximum(np.abs(values), 2.0**smallest))[1] - 1
            return np.asarray(np.ldexp(1.0, exponents - bits))
        case _:
            return np.zeros_like(values)


def in_float32(embeddings: Array) -> Array:
    """What float32, in which files hold embeddings, makes of them.

    Raises:
        InconclusiveError: nothing is left of one of them.
    """
    kept = embeddings.astype(np.float32).astype(np.float64)
    if not kept.any(axis=-1).all():
        raise InconclusiveError(
            "an embedding is so small that it is zero in float32", remedy="scale embeddings to length 1"
        )
    return kept


def form_of(answers: Array) -> str:
    """The coarsest form that holds these numbers: of those that do, the one with the widest steps."""
    values = answers[answers != 0]
    if values.size < FEWEST_NUMBERS:
        return FLOAT32
    some = values[:FEWEST_NUMBERS]  # most forms are ruled out by these
    holding = [form for form in FORMS if _holds(form, some) and _holds(form, values)]
    return max(holding, key=lambda form: round(coarseness(form, values), 6), default=FLOAT32)


def coarseness(form: str, values: Array) -> float:
    """How wide a form's steps are, as the mean logarithm of them; minus infinity for float32."""
    if form == FLOAT32:
        return -np.inf
    return float(np.log10(steps(form, values[values != 0])).mean())


def words(form: str) -> str:
    """For people."""
    kind, _, places = form.partition(":")
    if kind == "decimals":
        return f"rounded to {places} decimals"
    return f"rounded to {places} significant digits" if kind == "digits" else f"in {kind}"


def _holds(form: str, values: Array) -> bool:
    """Whether rounding leaves the values as they are, but for their being written in float32."""
    with np.errstate(invalid="ignore"):  # what is beyond a form is no number in it
        away = np.abs(rounded(form, values) - values)
    return bool((away <= 2.0**-24 * np.abs(values)).all())
