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

_SINGLE = (
    *(f"decimals:{places}" for places in range(1, MOST_PLACES + 1)),
    *(f"digits:{places}" for places in range(1, MOST_PLACES + 1)),
    "bfloat16",
    "float16",
)
"""Those that round every number by itself."""

INT8 = "int8"
"""Whole numbers of -127 to 127, by a scale of each vector that its largest number sets."""

LARGEST_INT8 = 127

FORMS = (*_SINGLE, INT8)
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
        case "int8":
            return _in_int8(values)
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
        case "int8":
            largest = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
            return np.broadcast_to(largest / LARGEST_INT8, values.shape).copy()
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
    """The coarsest form that holds these numbers: of those that do, the one with the widest steps.

    Args:
        answers: shape ``(n, d)``, a vector in each row.
    """
    values = answers[answers != 0]
    if values.size < FEWEST_NUMBERS:
        return FLOAT32
    some = values[:FEWEST_NUMBERS]  # most forms are ruled out by these
    holding = [form for form in _SINGLE if _holds(form, some) and _holds(form, values)]
    # the largest number of each vector is whole by its own scale, and says nothing
    if values.size - len(answers) >= FEWEST_NUMBERS and _holds(INT8, answers, 2.0**-23):
        holding.append(INT8)
    return max(holding, key=lambda form: round(coarseness(form, answers), 6), default=FLOAT32)


def coarseness(form: str, answers: Array) -> float:
    """How wide a form's steps are, as the mean logarithm of them; minus infinity for float32."""
    if form == FLOAT32:
        return -np.inf
    return float(np.log10(steps(form, answers)[answers != 0]).mean())


def words(form: str) -> str:
    """For people."""
    kind, _, places = form.partition(":")
    if kind == "decimals":
        return f"rounded to {places} decimals"
    if kind == "digits":
        return f"rounded to {places} significant digits"
    return f"in {kind}, each scaled by its largest number" if kind == INT8 else f"in {kind}"


def _in_int8(values: Array) -> Array:
    """Whole numbers times a scale that keeps the length of each vector."""
    with np.errstate(invalid="ignore", divide="ignore"):  # vectors of zeros, and with what is no number
        whole = np.round(values / steps(INT8, values))
        sizes = np.linalg.norm(values, axis=-1, keepdims=True)
        away = whole * (sizes / np.linalg.norm(whole, axis=-1, keepdims=True))
    return np.where(sizes == 0, values, away)


def _holds(form: str, values: Array, share: float = 2.0**-24) -> bool:
    """Whether rounding leaves the values as they are, but for a share of them, as float32 does."""
    with np.errstate(invalid="ignore"):  # what is beyond a form is no number in it
        away = np.abs(rounded(form, values) - values)
    return bool((away <= share * np.abs(values)).all())
