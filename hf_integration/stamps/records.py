"""Files of stamps and baselines: one object of JSON on one line, bounded, strict, and with a checksum.

Embeddings are little-endian float32 in base64. Whoever can write such a file can write another one: the
checksum finds mistakes only.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from hf_integration.base.checked_types import read_record
from hf_integration.base.checksum import FIELD, check, checksum
from hf_integration.base.errors import FlawError, RecordError, UsageError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import is_plain, quoted
from hf_integration.base.vocabulary import MOST_WIDTH
from hf_integration.endpoints.answers import LARGEST
from hf_integration.stamps.forms import FLOAT32, FORMS, Array

MOST_BYTES = 32 << 20
"""Of a file: 256 texts of 16,384 dimensions take 22 MiB."""

MOST_TEXTS = 256

NAME, TEXT = 512, 20_000
"""Most characters of a name, and of a text."""

_NAME = "name the file that was written"
_REMEDY = "get it again, or make a new one"


class Record(BaseModel):
    """An object of such a file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("holds control characters")
    return text


def at_most(most: int) -> BeforeValidator:
    """Bound a list before its members are validated."""

    def check_length(value: object) -> object:
        if isinstance(value, list | dict) and len(value) > most:
            raise ValueError(f"{len(value)} entries, more than {most}")
        return value

    return BeforeValidator(check_length)


def _form(text: str) -> str:
    if text not in (FLOAT32, *FORMS):
        raise ValueError("no numeric form that is known")
    return text


Name = Annotated[str, Field(min_length=1, max_length=NAME), AfterValidator(_plain)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT)]
Texts = Annotated[list[Text], Field(min_length=1), at_most(MOST_TEXTS)]
Numbers = Annotated[str, Field(max_length=(MOST_WIDTH * 4 + 2) // 3 * 4 + 4)]
Rows = Annotated[list[Numbers], Field(min_length=1), at_most(MOST_TEXTS)]
Form = Annotated[str, AfterValidator(_form)]
Width = Annotated[int, Field(ge=1, le=MOST_WIDTH)]
Tolerance = Annotated[float, Field(gt=0, le=0.5)]
Time = Annotated[str, Field(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\z")]
Checksum = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]

Kind = TypeVar("Kind", bound=Record)


def packed(numbers: Array) -> str:
    """Numbers as base64 of float32."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def unpacked(text: str, count: int, field: str) -> Array:
    """Numbers from base64.

    Raises:
        FlawError: no base64, not so many, or not finite.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: letters outside of ASCII
        raise FlawError(field, "not base64") from None
    if len(data) != 4 * count:
        raise FlawError(field, f"{len(data)} bytes, which are no {count} float32 numbers")
    numbers = np.frombuffer(data, "<f4").astype(np.float64)
    if not (np.abs(numbers) <= LARGEST).all():
        raise FlawError(field, "NaN or infinity")
    return numbers


def rows_of(rows: Sequence[str], width: int, field: str) -> Array:
    """Embeddings from base64, float64 ``(n, width)``, none of them zero throughout.

    Raises:
        FlawError: one of them is none.
    """
    array = np.stack([unpacked(row, width, f"{field}.{place}") for place, row in enumerate(rows)])
    if not array.any(axis=1).all():
        raise FlawError(field, "an embedding is zero throughout")
    return array


def write(content: Mapping[str, Any]) -> str:
    """One line of ASCII: it fits into a string of an index's metadata."""
    return json.dumps({**content, FIELD: checksum(content)}, separators=(",", ":"), allow_nan=False)


def parse(kind: type[Kind], format: str, schema: int, data: bytes) -> Kind:
    """Read such an object.

    Args:
        kind: what it has to be.
        format: what its ``format`` has to say.
        schema: the version that is read.
        data: untrusted bytes.

    Raises:
        FlawError: anything at all is wrong with it.
    """
    if len(data) > MOST_BYTES:
        raise FlawError("", f"{len(data)} bytes; it may have 1 to {MOST_BYTES}")
    record, content = read_record(
        kind, data, what=format.removeprefix("sslauth-"), format=format, schema=schema, again="make a new one"
    )
    check(content, remedy=_REMEDY)
    return record


def read(path: Path, what: str) -> bytes:
    """The bytes of such a file.

    Raises:
        UsageError: there is none, or no file can have this name.
        RecordError: it is too large, empty, or no regular file.
    """
    try:
        there = path.exists()
    except OSError as error:  # a name that is too long, or a folder that is closed to us
        why = error.strerror or str(error)
        raise UsageError(f"cannot read the {what} {quoted(str(path))}: {why}", remedy=_NAME) from None
    if not there:
        raise UsageError(f"there is no {what} {quoted(str(path))}", remedy=_NAME)
    try:
        with open_bounded(path, MOST_BYTES) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError as flaw:
        raise damaged(what, str(path), flaw) from None


def damaged(what: str, where: str, flaw: FlawError) -> RecordError:
    """The error for such a file with a flaw."""
    named = f"{where}: {flaw.field}" if flaw.field else where
    return RecordError(f"damaged {what}: {named}: {flaw.reason}", remedy=flaw.remedy or _REMEDY)
