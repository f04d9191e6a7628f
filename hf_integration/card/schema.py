"""The schema of ``card.json``, version 2: what a card may say, and within which bounds.

Strict on purpose: an unknown key, a missing one, a number out of bounds or a string that would steer a
terminal makes the card invalid, so nothing downstream needs to ask again.

It finds edits by accident or by somebody who does not know better. Whoever means harm computes it anew: that
one is found by the card's identity, the SHA-256 of the file, which is pinned or signed elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError
from hf_integration.base.text import is_plain, quoted
from hf_integration.base.vocabulary import (
    CARD_FILE,
    PICTURE_FILE,
    SIGNATURE_FILE,
    TENSOR_FILE,
    Modality,
    Precision,
    Weights,
    read_date,
)

FORMAT = "sslauth-watermark-card"
SCHEMA = 2

"""A signature over the three files, which may lie beside them."""

MOST_BYTES = {CARD_FILE: 8 << 20, TENSOR_FILE: 512 << 20, PICTURE_FILE: 4 << 20, SIGNATURE_FILE: 256 << 10}
"""Largest size of each file, checked before it is read; a signature by a key has 2 kB, by Sigstore 10 kB."""

MOST_KEYS = 4096
MOST_STRIPS = 512
MOST_TENSORS = 20_000
MOST_BEHAVIOUR_KEYS = 20_000
LONGEST_STRING = 512


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("holds control characters")
    return text


def _plain_throughout(value: JsonValue) -> JsonValue:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            _plain(item)
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            pending += [*item, *item.values()]
    return value


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("the same name occurs twice")
    return names


def _at_most(most: int) -> BeforeValidator:
    """Bound a collection before its members are validated: a message for each of them would take seconds."""

    def check(value: object) -> object:
        if isinstance(value, list | dict) and len(value) > most:
            raise ValueError(f"{len(value)} entries, more than {most}")
        return value

    return BeforeValidator(check)


def _behaviour_bounded(value: object) -> object:
    if isinstance(value, dict):
        count = sum(len(keys) for keys in value.values() if isinstance(keys, dict))
        if count > MOST_BEHAVIOUR_KEYS:
            raise ValueError(f"{count} keys, more than {MOST_BEHAVIOUR_KEYS}")
    return value


def _real_date(text: str) -> str:
    read_date(text)
    return text


Plain = Annotated[str, Field(max_length=LONGEST_STRING), AfterValidator(_plain)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_STRING), AfterValidator(_plain)]
Hexadecimal = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
Count = Annotated[int, Field(ge=1, le=1 << 53)]
Positive = Annotated[float, Field(gt=0)]
Words = Annotated[dict[Name, Plain], _at_most(256)]
Report = Annotated[dict[Name, JsonValue], _at_most(MOST_TENSORS), AfterValidator(_plain_throughout)]
Strips = Annotated[list[Name], Field(min_length=1), _at_most(MOST_STRIPS), AfterValidator(_distinct)]
TensorNames = Annotated[list[Name], Field(min_length=1), _at_most(MOST_TENSORS), AfterValidator(_distinct)]
Behaviour = Annotated[dict[Name, dict[Name, JsonValue]], BeforeValidator(_behaviour_bounded), _at_most(256)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class EncoderRecord(_Record):
    """The encoder that the card vouches for."""

    name: Name
    commit: Annotated[str, Field(pattern=r"\A[0-9a-f]{7,64}\z")] | None
    modality: Modality
    architecture: Plain
    embedding_dim: Count
    pooling: Plain
    parameters: Count
    stored_dtype: Name
    processor_backend: Plain
    details: Words


class KeySampleRecord(_Record):
    """The key samples: how many, how many bytes they take, and a digest of what they decode to."""

    count: Annotated[int, Field(ge=1, le=MOST_KEYS)]
    bytes: Count
    origin: Plain
    sha256: Hexadecimal


class ReferenceRecord(_Record):
    """One reference run; its numbers are tensors."""

    weights: Weights
    precision: Precision
    benign_margin: Positive


class TensorRecord(_Record):
    """Names of the digested tensors, and the weights for which there are digests of each of them.

    The names are the same for every kind of weights: a cast that could leave a tensor out would let it
    go unchecked.
    """

    names: TensorNames
    weights: Annotated[list[Weights], Field(min_length=1), _at_most(3), AfterValidator(_distinct)]


class OutsideRecord(_Record):
    """Tensors of the weight files that the embedding does not use, and what the others are loaded as."""

    names: Annotated[list[Name], _at_most(MOST_TENSORS), AfterValidator(_distinct)]
    loaded: Annotated[dict[Name, Name], _at_most(MOST_TENSORS)]


class FolderSchema(_Record):
    """The encoder's files as they stand, and as the library would write them."""

    files: Behaviour
    in_effect: Behaviour
    dtype: Name
    not_covered: Annotated[list[Plain], _at_most(MOST_TENSORS)]


class FileRecord(_Record):
    """Size and SHA-256 of another file of the card."""

    bytes: Annotated[int, Field(ge=1, le=max(MOST_BYTES.values()))]
    sha256: Hexadecimal


class FilesRecord(_Record):
    """The card's other files."""

    tensors: Annotated[FileRecord, Field(alias=TENSOR_FILE)]
    picture: Annotated[FileRecord, Field(alias=PICTURE_FILE)]


class CardRecord(_Record):
    """``card.json``."""

    format: Literal["sslauth-watermark-card"]
    schema_version: Annotated[Literal[2], Field(alias="schema")]
    encoder: EncoderRecord
    created: Annotated[str, Field(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)\z")]
    expires: Annotated[str, AfterValidator(_real_date)] = ""
    """The last day on which the card is good; a card that never expires has no such key."""
    secret: bool
    seed: Annotated[int, Field(ge=0, lt=1 << 128)]
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    """Error of a tile; about 1 is noise."""
    key_samples: KeySampleRecord
    strips: Strips
    references: Annotated[list[ReferenceRecord], Field(min_length=1), _at_most(12)]
    tensors: TensorRecord
    outside: OutsideRecord
    libraries: Words
    behaviour: Behaviour
    """Values are the encoder's own data and may hold any character; file names and keys may not."""
    folder: FolderSchema
    coverage: Report
    floor: Report
    files: FilesRecord
    checksum: str


def read_record(data: bytes) -> CardRecord:
    """Parse and validate the bytes of ``card.json``.

    Raises:
        FlawError: anything at all is wrong with them.
    """
    content = strict_json.parse(data)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FlawError("format", f"not a watermark card, which says {FORMAT!r} here")
    version = content.get("schema")
    if type(version) is not int:  # pydantic would take True and 1.0 for 1
        raise FlawError("schema", "not a whole number")
    if version != SCHEMA:
        raise FlawError(
            "schema",
            f"the card has version {version}, this version of pytest-sslauth reads version {SCHEMA}",
            remedy="upgrade pytest-sslauth" if version > SCHEMA else "mint the card again",
        )
    try:
        record = CardRecord.model_validate(content)
    except ValidationError as error:
        raise _first_flaw(error) from None
    runs = [(reference.weights, reference.precision) for reference in record.references]
    if len(set(runs)) < len(runs):
        raise FlawError("references", "the same weights and precision occur twice")
    if "stored" not in record.tensors.weights:
        raise FlawError("tensors.weights", "no digests of the weights as stored")
    if record.files.picture.bytes > MOST_BYTES[PICTURE_FILE]:
        raise FlawError(f"files.{PICTURE_FILE}.bytes", f"more than {MOST_BYTES[PICTURE_FILE]}")
    check(content)
    return record


def write_record(record: dict[str, Any]) -> bytes:
    """Bytes of ``card.json``, ASCII only so that not even a pager can be steered.

    Raises:
        FlawError: a value has no JSON form, or the reader would refuse it.
    """
    try:
        record = {**record, FIELD: checksum(record)}
        data = json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise FlawError("", f"has no JSON form: {error}") from None
    if len(data) > MOST_BYTES[CARD_FILE]:
        raise FlawError("", f"{len(data)} bytes, more than {MOST_BYTES[CARD_FILE]}")
    read_record(data)
    return data


def _first_flaw(error: ValidationError) -> FlawError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    first = details[0]
    field = ".".join(quoted(str(part)) for part in first["loc"])
    reason = {"extra_forbidden": "unknown key", "missing": "missing"}.get(first["type"], first["msg"])
    reason = reason.removeprefix("Value error, ")
    return FlawError(field, reason[:1].lower() + reason[1:])


FIELD = "checksum"


def checksum(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record without its checksum, as canonical JSON: layout and order of keys do not count."""
    content = {key: value for key, value in record.items() if key != FIELD}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check(record: Mapping[str, Any]) -> None:
    """Compare a record with its checksum.

    Raises:
        FlawError: they do not fit.
    """
    if record.get(FIELD) != checksum(record):
        raise FlawError(
            FIELD,
            "does not fit the rest of the file: edited or damaged",
            remedy="get it anew, or mint it again",
        )
