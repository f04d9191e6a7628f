"""The numbers of an answer: lists or base64 from a stranger, as one array, within bounds."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hf_integration.base.errors import FlawError
from hf_integration.base.vocabulary import MOST_WIDTH

Wire = Literal["json", "base64"]
"""How numbers travel: in decimal, or as little-endian float32 in base64."""

BYTES_PER_NUMBER = 32
"""In decimal, with sign, 17 digits, exponent, separator and some white space."""

BESIDE = 64 << 10
"""Bytes, and also values, of an answer beside its numbers: the model's name, usage, the texts once more."""

LARGEST = float(np.finfo(np.float32).max)
"""No encoder's output is larger, and the square of none that is smaller overflows in float64."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a server answered.

    Attributes:
        embeddings: shape (n, d), float64 and finite, in the order of the texts that were answered.
        wire: how the numbers came.
        requests: that were sent, those that had to be repeated included.
        seconds: that it took, with all pauses.
        refused: places of the texts that were refused, of those that may be.
    """

    embeddings: NDArray[np.float64]
    wire: Wire
    requests: int
    seconds: float
    refused: tuple[int, ...] = ()


def most_bytes(texts: int) -> int:
    """Bytes that an answer with so many embeddings may have."""
    return texts * MOST_WIDTH * BYTES_PER_NUMBER + BESIDE


def most_values(texts: int) -> int:
    """Values that an answer with so many embeddings may have."""
    return texts * MOST_WIDTH + BESIDE


def to_array(embeddings: Sequence[object]) -> tuple[NDArray[np.float64], Wire]:
    """Embeddings as they stood in the JSON, as one array.

    Args:
        embeddings: for each text a list of numbers or a string of base64, or whatever came instead.

    Returns:
        An array of shape (n, d), and how it came.

    Raises:
        FlawError: not numbers, no finite ones, more than :data:`MOST_WIDTH`, or not equally many for all.
    """
    wires: set[Wire] = {"base64" if isinstance(embedding, str) else "json" for embedding in embeddings}
    if len(wires) > 1:
        raise FlawError("", "some embeddings are lists of numbers and some are base64")
    rows = [_row(embedding, f"embedding {place}") for place, embedding in enumerate(embeddings)]
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        raise FlawError("", f"embeddings of {widths[0]} and of {widths[-1]} numbers")
    return np.stack(rows), wires.pop()


def _row(embedding: object, name: str) -> NDArray[np.float64]:
    if isinstance(embedding, str):
        row = _decoded(embedding, name)
    elif isinstance(embedding, list):
        row = _converted(embedding, name)
    else:
        raise FlawError(name, "neither a list of numbers nor base64")
    if not 0 < len(row) <= MOST_WIDTH:
        raise FlawError(name, f"{len(row)} numbers; it may have 1 to {MOST_WIDTH}")
    # written so that NaN is refused, too
    if not np.all(np.abs(row) <= LARGEST):
        raise FlawError(name, "a number that is not finite, or larger than any of float32")
    return row


def _converted(numbers: list[object], name: str) -> NDArray[np.float64]:
    if numbers and all(isinstance(number, list) for number in numbers):
        raise FlawError(
            name, "a list for each of its tokens: the server does not pool them to one embedding of the text"
        )
    # bool is a kind of int, and numpy reads strings as numbers
    if not all(type(number) in (int, float) for number in numbers):
        raise FlawError(name, "something else than numbers")
    return np.array(numbers, dtype=np.float64)


def _decoded(text: str, name: str) -> NDArray[np.float64]:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: letters outside of ASCII
        raise FlawError(name, "a string that is not base64") from None
    if len(data) % 4:
        raise FlawError(name, f"{len(data)} bytes of base64, which are no float32 numbers")
    return np.frombuffer(data, dtype="<f4").astype(np.float64)
