"""What a model card says about its watermark card, for programs: the key ``sslauth`` of its YAML header."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hf_integration.base.errors import FlawError, ModelCardError
from hf_integration.base.text import is_plain
from hf_integration.model_card.repository import README, RepoCommit
from hf_integration.model_card.yaml_header import read_key, split

KEY = "sslauth"
SCHEMA = 1

MOST_REVOKED = 1000
LONGEST_REASON = 300

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDER = re.compile(r"[\w-][\w.-]{0,95}(/[\w-][\w.-]{0,95}){0,7}", re.ASCII)
_REQUIRED = frozenset({"schema", "card", "digest", "encoder_commit", "created", "embedding_dim"})
_OPTIONAL = frozenset({"expires", "signed", "revoked"})


@dataclass(frozen=True)
class Revocation:
    """A card that its publisher took back: its digest, and why in one line."""

    digest: str
    reason: str


@dataclass(frozen=True)
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

    card: str
    digest: str
    encoder_commit: str
    created: str
    embedding_dim: int
    expires: str | None = None
    signed: bool = False
    revoked: tuple[Revocation, ...] = ()

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
    if missing := sorted(_REQUIRED - set(value)):
        raise FlawError(f"{KEY}.{missing[0]}", "missing")
    if unknown := sorted(set(value) - _REQUIRED - _OPTIONAL):
        raise FlawError(f"{KEY}.{unknown[0]}", "unknown key")
    expires = value.get("expires")
    return Metadata(
        card=folder_name(value["card"]),
        digest=_matching(value["digest"], _DIGEST, "digest", "no SHA-256 digest"),
        encoder_commit=_matching(value["encoder_commit"], _COMMIT, "encoder_commit", "no commit"),
        created=_plain(value["created"], "created", 64),
        embedding_dim=_width(value["embedding_dim"]),
        expires=None if expires is None else _day(expires),
        signed=_boolean(value.get("signed", False), "signed"),
        revoked=_revocations(value.get("revoked", [])),
    )


def folder_name(value: object) -> str:
    """A folder within the repository.

    Raises:
        FlawError: it leads elsewhere, or is no folder's name.
    """
    return _matching(value, _FOLDER, "card", "no folder of this repository")


def revocation(digest: object, reason: object) -> Revocation:
    """One revocation.

    Raises:
        FlawError: no digest, or a reason that is not one short line.
    """
    text = _plain(reason, "revoked.reason", LONGEST_REASON)
    if not text.strip():
        raise FlawError(f"{KEY}.revoked.reason", "empty")
    return Revocation(_matching(digest, _DIGEST, "revoked.digest", "no SHA-256 digest"), text)


def _revocations(value: object) -> tuple[Revocation, ...]:
    if not isinstance(value, list) or len(value) > MOST_REVOKED:
        raise FlawError(f"{KEY}.revoked", f"no list of at most {MOST_REVOKED}")
    found = []
    for entry in value:
        if not isinstance(entry, Mapping) or set(entry) != {"digest", "reason"}:
            raise FlawError(f"{KEY}.revoked", "an entry that is not a digest and a reason")
        found.append(revocation(entry["digest"], entry["reason"]))
    return tuple(found)


def _matching(value: object, form: re.Pattern[str], key: str, flaw: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise FlawError(f"{KEY}.{key}", flaw)
    return value


def _plain(value: object, key: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or not is_plain(value):
        raise FlawError(f"{KEY}.{key}", f"not a line of at most {longest} printable characters")
    return value


def _day(value: object) -> str:
    try:
        return date.fromisoformat(_plain(value, "expires", 10)).isoformat()
    except ValueError:
        raise FlawError(f"{KEY}.expires", "no date") from None


def _width(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 1 << 53:
        raise FlawError(f"{KEY}.embedding_dim", "no whole number above 0")
    return value


def _boolean(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise FlawError(f"{KEY}.{key}", "neither true nor false")
    return value


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
