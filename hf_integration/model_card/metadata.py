"""What a model card says about its watermark card, for programs: the key ``sslauth`` of its YAML header."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictInt,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from hf_integration.base.checked_types import Commit, Digest, line, matching
from hf_integration.base.errors import FlawError, ModelCardError
from hf_integration.model_card.repository import README, RepoCommit
from hf_integration.model_card.yaml_header import read_key, split

KEY = "sslauth"
SCHEMA = 1

MOST_REVOKED = 1000
LONGEST_REASON = 300

_FOLDER = re.compile(r"[\w-][\w.-]{0,95}(/[\w-][\w.-]{0,95}){0,7}", re.ASCII)
_FLAWS = {
    "card": "no folder of this repository",
    "digest": "no SHA-256 digest",
    "encoder_commit": "no commit",
    "created": "not a line of at most 64 printable characters",
    "embedding_dim": "no whole number above 0",
    "expires": "no date",
    "signed": "neither true nor false",
    "revoked": f"no list of at most {MOST_REVOKED} digests with a reason each",
    "reason": f"not a line of at most {LONGEST_REASON} printable characters with something in it",
}
"""What is said of a value that a key cannot have."""


def _reason(value: object) -> str:
    text = line(value, longest=LONGEST_REASON)
    if not text.strip():
        raise ValueError("empty")
    return text


def _last_day(value: object) -> str:
    return date.fromisoformat(line(value, longest=10)).isoformat()


def _width(value: int) -> int:
    if not 1 <= value <= 1 << 53:
        raise ValueError("out of bounds")
    return value


def _bounded(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) > MOST_REVOKED:
        raise ValueError("no list, or too long")
    return value


Folder = Annotated[str, BeforeValidator(matching(_FOLDER, "a folder of this repository"))]
Created = Annotated[str, BeforeValidator(lambda value: line(value, longest=64))]
Width = Annotated[StrictInt, AfterValidator(_width)]
LastDay = Annotated[str, BeforeValidator(_last_day)]
Reason = Annotated[str, BeforeValidator(_reason)]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Revocation:
    """A card that its publisher took back: its digest, and why in one line."""

    digest: Digest
    reason: Reason


@dataclass(frozen=True, config=_STRICT)
class Metadata:
    """The claims of a model card.

    Attributes:
        card: folder of the card in the repository.
        digest: the card's digest, ``sha256:…``.
        encoder_commit: commit whose weights the card was published for.
        created: when the card was minted, ISO 8601.
        embedding_dim: width of the encoder's embeddings.
        expires: last day on which the card is good, ISO 8601, if it has one.
        signed: whether a signature lies beside the card.
        revoked: cards that are not to be believed any more, the earliest first.
    """

    card: Folder
    digest: Digest
    encoder_commit: Commit
    created: Created
    embedding_dim: Width
    expires: LastDay | None = None
    signed: StrictBool = False
    revoked: Annotated[tuple[Revocation, ...], BeforeValidator(_bounded)] = ()

    def revocation(self, digest: str) -> Revocation | None:
        """Why a card is not to be believed, if it was taken back."""
        return next((entry for entry in self.revoked if entry.digest == digest), None)

    def lines(self) -> list[str]:
        """The key and its value as lines of YAML, without line ends."""
        lines = [
            f"{KEY}:",
            f"  schema: {SCHEMA}",
            f"  card: {_quoted(self.card)}",
            f"  digest: {_quoted(self.digest)}",
            f"  encoder_commit: {_quoted(self.encoder_commit)}",
            f"  created: {_quoted(self.created)}",
            f"  embedding_dim: {self.embedding_dim}",
        ]
        if self.expires is not None:
            lines.append(f"  expires: {_quoted(self.expires)}")
        if self.signed:
            lines.append("  signed: true")
        if self.revoked:
            lines.append("  revoked:")
        for entry in self.revoked:
            lines += [f"    - digest: {_quoted(entry.digest)}", f"      reason: {_quoted(entry.reason)}"]
        return lines


def read_metadata(value: Any) -> Metadata:
    """The claims that a key's value states; strict, as a claim that is half understood is none.

    Raises:
        FlawError: an unknown or missing key, or a value that it cannot have; safe to print.
    """
    if not isinstance(value, Mapping):
        raise FlawError(KEY, "not a mapping")
    version = value.get("schema")
    if type(version) is not int:
        raise FlawError(f"{KEY}.schema", "missing, or no whole number")
    if version != SCHEMA:
        raise FlawError(
            f"{KEY}.schema",
            f"version {version}, this version of pytest-sslauth reads version {SCHEMA}",
            remedy="upgrade pytest-sslauth" if version > SCHEMA else "",
        )
    try:
        return _METADATA.validate_python({key: said for key, said in value.items() if key != "schema"})
    except ValidationError as error:
        raise _first_flaw(error, KEY) from None


def folder_name(value: object) -> str:
    """A folder within the repository.

    Raises:
        FlawError: it leads elsewhere, or is no folder's name.
    """
    try:
        return TypeAdapter(Folder).validate_python(value)
    except ValidationError:
        raise FlawError(f"{KEY}.card", _FLAWS["card"]) from None


def revocation(digest: object, reason: object) -> Revocation:
    """One revocation.

    Raises:
        FlawError: no digest, or a reason that is not one short line.
    """
    try:
        return _REVOCATION.validate_python({"digest": digest, "reason": reason})
    except ValidationError as error:
        raise _first_flaw(error, f"{KEY}.revoked") from None


_METADATA = TypeAdapter(Metadata)
_REVOCATION = TypeAdapter(Revocation)


def _first_flaw(error: ValidationError, within: str) -> FlawError:
    """The first thing that is wrong: what is missing before what nobody knows before what cannot be meant."""
    order = ("missing", "unexpected_keyword_argument")
    flaws = error.errors(include_url=False, include_context=False, include_input=False)
    first = min(flaws, key=lambda flaw: order.index(flaw["type"]) if flaw["type"] in order else len(order))
    keys = [str(part) for part in first["loc"] if not isinstance(part, int)]
    at_top = within == KEY and len(keys) == 1
    if first["type"] in order and at_top:
        return FlawError(f"{within}.{keys[0]}", "missing" if first["type"] == "missing" else "unknown key")
    known = [key for key in keys if key in _FLAWS]
    if first["type"] in order:
        known = known[:1]
    return FlawError(".".join([within, *known]), _FLAWS[known[-1]] if known else "malformed")


def _quoted(text: str) -> str:
    """A double-quoted scalar: JSON's strings are YAML's as long as all characters are printable."""
    return json.dumps(text, ensure_ascii=False)


def read_claims(readme: bytes) -> Metadata | None:
    """What a model card says about a watermark card, or ``None`` where it says nothing.

    Raises:
        FlawError: its YAML header is none, or what it says is malformed.
    """
    value = read_key(split(readme).header, KEY)
    return None if value is None else read_metadata(value)


def claims_of(there: RepoCommit) -> Metadata | None:
    """What a repository's model card says about a watermark card.

    Raises:
        ModelCardError: it is malformed.
        InconclusiveError: the Hub cannot be asked.
    """
    try:
        return read_claims(there.readme())
    except FlawError as flaw:
        raise ModelCardError(
            f"the model card of {there} cannot be read: {README}: {flaw}",
            remedy=flaw.remedy or "name a card that you trust with --card",
        ) from None
