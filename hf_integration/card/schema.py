"""The schema of ``card.json``, version 2: what a card may say, and within which bounds.

Strict on purpose: an unknown key, a missing one, a number out of bounds or a string that would steer a
terminal makes the card invalid, so nothing downstream needs to ask again.

It finds edits by accident or by somebody who does not know better. Whoever means harm computes it anew: that
one is found by the card's identity, the SHA-256 of the file, which is pinned or signed elsewhere.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainValidator

from hf_integration.base import checked_types
from hf_integration.base.checksum import FIELD, check, checksum
from hf_integration.base.errors import FlawError
from hf_integration.base.vocabulary import (
    CARD_FILE,
    MOST_WIDTH,
    PICTURE_FILE,
    SIGNATURE_FILE,
    TENSOR_FILE,
    Modality,
    Motif,
    Precision,
    Weights,
)
from hf_integration.card.coverage import Coverage, NotMeasured, read_coverage
from hf_integration.card.fields import (
    MOST_KEYS,
    MOST_TENSORS,
    Amount,
    Count,
    Distinct,
    Files,
    Hexadecimal,
    Name,
    Plain,
    Positive,
    RealDate,
    Report,
    Strips,
    TensorNames,
    Words,
    at_most,
)
from hf_integration.card.key_images import objection
from hf_integration.card.source import SourceRecord
from hf_integration.watermark import GROUP

FORMAT = "sslauth-watermark-card"
SCHEMA = 2

MOST_RECIPES = 32
MOST_FIELDS = 16
MOST_FORMS = 64
MOST_TEXTS = 8192
MOST_AXES = 8

MOST_BYTES = {CARD_FILE: 8 << 20, TENSOR_FILE: 512 << 20, PICTURE_FILE: 4 << 20, SIGNATURE_FILE: 256 << 10}
"""Largest size of each file, checked before it is read; a signature by a key has 2 kB, by Sigstore 10 kB."""


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
    # how many key samples it is of, from the first on: whole groups; all of them where nothing is said
    key_samples: Annotated[int, Field(ge=GROUP, multiple_of=GROUP)] | None = None


class TensorRecord(_Record):
    """Names of the digested tensors, and the weights for which there are digests of each of them.

    The names are the same for every kind of weights: a cast that could leave a tensor out would let it
    go unchecked.
    """

    names: TensorNames
    weights: Annotated[list[Weights], Field(min_length=1), at_most(3), Distinct]


class OutsideRecord(_Record):
    """Tensors of the weight files that the embedding does not use, and what the others are loaded as."""

    names: Annotated[list[Name], at_most(MOST_TENSORS), Distinct]
    loaded: Annotated[dict[Name, Name], at_most(MOST_TENSORS)]


class AnswersRecord(_Record):
    """One recipe; its embeddings are a tensor."""

    names: Annotated[list[Name], Field(min_length=1), at_most(MOST_RECIPES), Distinct]
    recipe: Annotated[dict[Name, JsonValue], at_most(MOST_FIELDS)]
    noise: Annotated[float, Field(ge=0, lt=1)]
    floor: Positive | None
    width: Annotated[int, Field(ge=1, le=MOST_WIDTH)]


class ServedRecord(_Record):
    """What ``card.json`` says of deployments."""

    length: Count
    tokens: Annotated[list[Amount], Field(min_length=1), at_most(MOST_KEYS)]
    recipes: Annotated[list[AnswersRecord], Field(min_length=1), at_most(MOST_RECIPES)]


class ConvertedRecord(_Record):
    """One conversion that was made at minting; its embeddings are a tensor."""

    name: Name
    rules: Annotated[list[Name], Field(min_length=1), at_most(MOST_FORMS), Distinct]
    width: Annotated[int, Field(ge=1, le=MOST_WIDTH)]


class ConversionsRecord(_Record):
    """What ``card.json`` says of converted encoders; digests are tensors, one row for each shape."""

    shapes: Annotated[
        dict[Name, Annotated[list[Count], at_most(MOST_AXES)]], Field(min_length=1), at_most(MOST_TENSORS)
    ]
    forms: Annotated[list[Name], at_most(MOST_FORMS), Distinct]
    texts: Annotated[int, Field(ge=1, le=MOST_TEXTS)]
    recipes: Annotated[list[ConvertedRecord], at_most(MOST_RECIPES)]


class FolderSchema(_Record):
    """The encoder's files as they stand, and as the library would write them."""

    files: Files
    in_effect: Files
    dtype: Name
    not_covered: Annotated[list[Plain], at_most(MOST_TENSORS)]


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
    expires: RealDate = ""
    """The last day on which the card is good; a card that never expires has no such key."""
    watermark: Motif = "picture"
    """Cards whose watermark is a picture have no such key; those of ``samples`` do not store it."""
    secret: bool
    seed: Annotated[int, Field(ge=0, lt=1 << 128)]
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    """Error of a tile; about 1 is noise."""
    key_samples: KeySampleRecord
    strips: Strips
    references: Annotated[list[ReferenceRecord], Field(min_length=1), at_most(12)]
    tensors: TensorRecord
    outside: OutsideRecord
    served: ServedRecord | None = None
    """Of texts only, where references of deployments were minted; other cards have no such key."""
    conversions: ConversionsRecord | None = None
    """Of texts only; cards that are older than this key have none."""
    source: SourceRecord | None = None
    """Of encoders that were converted from pickled weights; other cards have no such key."""
    libraries: Words
    behaviour: Files
    """Values are the encoder's own data and may hold any character; file names and keys may not."""
    folder: FolderSchema
    coverage: Annotated[Coverage | NotMeasured | None, PlainValidator(read_coverage)]
    floor: Report
    files: FilesRecord
    checksum: str


def read_record(data: bytes) -> CardRecord:
    """Parse and validate the bytes of ``card.json``.

    Raises:
        FlawError: anything at all is wrong with them.
    """
    record, content = checked_types.read_record(
        CardRecord, data, what="watermark card", format=FORMAT, schema=SCHEMA, again="mint the card again"
    )
    _check_references(record)
    if "stored" not in record.tensors.weights:
        raise FlawError("tensors.weights", "no digests of the weights as stored")
    if record.watermark == "samples":
        images = record.key_samples.count
        if flaw := objection(record.encoder.modality, images, secret=record.secret):
            raise FlawError("watermark", flaw)
    if record.served is not None:
        if len(record.served.tokens) != record.key_samples.count:
            count = f"{len(record.served.tokens)} numbers for {record.key_samples.count} key samples"
            raise FlawError("served.tokens", count)
        names = [name for recipe in record.served.recipes for name in recipe.names]
        if len(set(names)) < len(names):
            raise FlawError("served.recipes", "the same name occurs twice")
    if record.conversions is not None:
        names = [made.name for made in record.conversions.recipes]
        if len(set(names)) < len(names):
            raise FlawError("conversions.recipes", "the same name occurs twice")
        rules = {rule for made in record.conversions.recipes for rule in made.rules}
        if unknown := sorted(rules - set(record.conversions.forms)):
            raise FlawError("conversions.recipes", f"{unknown[0]} is none of the forms")
    if record.files.picture.bytes > MOST_BYTES[PICTURE_FILE]:
        raise FlawError(f"files.{PICTURE_FILE}.bytes", f"more than {MOST_BYTES[PICTURE_FILE]}")
    check(content, remedy="get it anew, or mint it again")
    return record


def _check_references(record: CardRecord) -> None:
    runs = [(reference.weights, reference.precision) for reference in record.references]
    if len(set(runs)) < len(runs):
        raise FlawError("references", "the same weights and precision occur twice")
    for place, reference in enumerate(record.references):
        if reference.key_samples is not None and reference.key_samples >= record.key_samples.count:
            raise FlawError(f"references.{place}.key_samples", "not less than all key samples")


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
