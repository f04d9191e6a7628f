"""What ``sslauth.toml`` may say. Strict: a key that is misspelt would otherwise pin nothing.

The file may come with a repository that was checked out from a stranger: names, paths and strings are
bounded, plain, and lead nowhere but below the file's own surroundings.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hf_integration.base.checked_types import Commit, Day, Digest, RepoId, Revision, Said, kind_of, line
from hf_integration.base.errors import UsageError
from hf_integration.base.urls import check_url
from hf_integration.base.vocabulary import (
    APIS,
    FEWEST_DIMENSIONS,
    FEWEST_KEYS,
    MOST_KEYS,
    MOST_WIDTH,
    read_span,
)
from hf_integration.checking.pins.pin import Pin, Waiver
from hf_integration.checking.wanted import EndpointWanted

VERSION = 1
MOST_ENCODERS = 1000
MOST_WAIVERS = 100

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
"""Names are folders of cards, and can never be mistaken for ``org/name``."""

MOST_PATTERNS = 100

_PATTERN = re.compile(r"(?:[\w*?][\w.*?-]{0,95}/)?[\w*?][\w.*?-]{0,95}", re.ASCII)
"""Of repo ids, with ``*`` and ``?`` as in names of files."""

_SIGSTORE = re.compile(r"sigstore:[^\s@]\S*@https?://\S+")

Keys = tuple[str | int, ...]


class SchemaFlawError(ValueError):
    """One thing that is wrong with the file.

    Attributes:
        keys: where, from the outermost key in.
        reason: what is wrong.
    """

    def __init__(self, keys: Keys, reason: str) -> None:
        super().__init__(reason)
        self.keys = keys
        self.reason = reason


def _relative(value: object) -> str:
    text = line(value)
    absolute = PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor
    if absolute or text.startswith("~") or "\\" in text:
        raise ValueError(f"{text[:80]!r} is not a path relative to this file, with '/' between folders")
    return text


def _signer(value: object) -> str:
    text = line(value)
    if not text.startswith("sigstore:"):
        return _relative(text)
    if not _SIGSTORE.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not sigstore:IDENTITY@ISSUER, the issuer being a URL")
    return text


def _publisher(value: object) -> str:
    text = line(value)
    if text.startswith("certificate:"):
        return f"certificate:{_relative(text.removeprefix('certificate:'))}"
    return _signer(text)


def _url(value: object) -> str:
    text = line(value)
    try:
        check_url(text)
    except UsageError as error:
        raise ValueError(error.args[0]) from None
    return text


def _api(value: object) -> str:
    if value not in APIS:
        raise ValueError(f"{line(value)[:80]!r} is no API; known are {', '.join(APIS)}")
    return str(value)


def _from_to(fewest: int, most: int) -> Callable[[object], int]:
    """A check for whole numbers."""

    def check(value: object) -> int:
        if type(value) is not int or not fewest <= value <= most:
            raise ValueError(f"must be a whole number from {fewest} to {most}")
        return value

    return check


def _yes_or_no(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _share(value: object) -> float:
    if type(value) is not float or not 0 < value < 1:
        raise ValueError("must be a number between 0 and 1")
    return value


def _seconds(value: object) -> float:
    try:
        return read_span(line(value)).total_seconds()
    except ValueError:
        raise ValueError("must be a span of time such as '90s', '10m' or '1h'") from None


RelativePath = Annotated[str, BeforeValidator(_relative)]
SignerName = Annotated[str, BeforeValidator(_signer)]
PublisherName = Annotated[str, BeforeValidator(_publisher)]
Line = Annotated[str, BeforeValidator(line)]
Url = Annotated[str, BeforeValidator(_url)]
ApiName = Annotated[str, BeforeValidator(_api)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Waiver(_Table):
    state: Digest
    reason: Said
    until: Day


class _Endpoint(_Table):
    url: Url
    api: ApiName | None = None
    model: Line | None = None
    key_env: Line | None = None
    serving: Line | None = None
    dimensions: Annotated[int, BeforeValidator(_from_to(FEWEST_DIMENSIONS, MOST_WIDTH))] | None = None
    by_card: Annotated[bool, BeforeValidator(_yes_or_no)] | None = None
    keys: Annotated[int, BeforeValidator(_from_to(FEWEST_KEYS, MOST_KEYS))] | None = None
    confidence: Annotated[float, BeforeValidator(_share)] | None = None
    spread: Annotated[float, BeforeValidator(_seconds)] | None = None


class _Entry(_Table):
    repo: RepoId | None = None
    path: RelativePath | None = None
    track: Revision | None = None
    card: RelativePath | None = None
    commit: Commit | None = None
    card_digest: Digest | None = None
    signer: SignerName | None = None
    publisher: PublisherName | None = None
    waivers: list[_Waiver] = []
    endpoint: _Endpoint | None = None


class _Document(_Table):
    version: int
    encoders: dict[str, _Entry] = {}
    publishers: dict[str, PublisherName] = {}


def pins_of(document: Mapping[str, Any], file: Path) -> tuple[dict[str, Pin], dict[str, str]]:
    """Validate a whole document.

    Returns:
        The encoders by name, and the publishers by pattern of repo ids.

    Raises:
        SchemaFlawError: an unknown key, a missing one, or a value that cannot be meant.
    """
    if "version" not in document:
        raise SchemaFlawError((), f"no 'version': write version = {VERSION}")
    if type(document["version"]) is not int or document["version"] != VERSION:
        raise SchemaFlawError(("version",), f"this version of sslauth reads version {VERSION} only")
    _check_bounds(document.get("encoders", {}))
    _check_patterns(document.get("publishers", {}))
    try:
        read = _Document.model_validate(document)
    except ValidationError as error:
        raise _first_flaw(error) from None
    return {name: _pin(name, entry, file) for name, entry in read.encoders.items()}, read.publishers


def _check_patterns(publishers: Any) -> None:
    if not isinstance(publishers, dict):
        return
    if len(publishers) > MOST_PATTERNS:
        raise SchemaFlawError(("publishers",), f"{len(publishers)} patterns, more than {MOST_PATTERNS}")
    for pattern in publishers:
        if not _PATTERN.fullmatch(pattern):
            raise SchemaFlawError(("publishers", pattern), "not a repo id, in which * and ? stand for others")


def _check_bounds(encoders: Any) -> None:
    """Bound collections before their members are validated: a message for each would take seconds."""
    if not isinstance(encoders, dict):
        return
    if len(encoders) > MOST_ENCODERS:
        raise SchemaFlawError(("encoders",), f"{len(encoders)} encoders, more than {MOST_ENCODERS}")
    for name, entry in encoders.items():
        if not NAME.fullmatch(name):
            flaw = "a name has up to 96 letters, digits, '.', '_' and '-', no others"
            raise SchemaFlawError(("encoders", name), flaw)
        waivers = entry.get("waivers", []) if isinstance(entry, dict) else []
        if not isinstance(waivers, list) or len(waivers) > MOST_WAIVERS:
            raise SchemaFlawError(
                ("encoders", name, "waivers"),
                f"not up to {MOST_WAIVERS} tables: write [[encoders.{name}.waivers]]",
            )


def _pin(name: str, entry: _Entry, file: Path) -> Pin:
    keys: Keys = ("encoders", name)
    if (entry.repo is None) == (entry.path is None):
        both = "both 'repo' and 'path': one encoder lies in one place"
        raise SchemaFlawError(keys, both if entry.repo else "no 'repo' (or 'path', for a local folder)")
    for key in ("track", "commit"):
        if entry.path is not None and getattr(entry, key) is not None:
            raise SchemaFlawError((*keys, key), "a folder ('path') has no revisions")
    waivers = tuple(Waiver(waiver.state, waiver.reason, waiver.until) for waiver in entry.waivers)
    endpoint = None if entry.endpoint is None else EndpointWanted(**entry.endpoint.model_dump())
    plain = entry.model_dump(exclude={"waivers", "endpoint"})
    return Pin(name, file, **plain, waivers=waivers, endpoint=endpoint)


def _first_flaw(error: ValidationError) -> SchemaFlawError:
    """The first thing that is wrong, a key that nobody knows before all others: it pins nothing."""
    flaws = error.errors(include_url=False)
    first = next((flaw for flaw in flaws if flaw["type"] == "extra_forbidden"), flaws[0])
    keys: Keys = tuple(first["loc"])
    if first["type"] == "extra_forbidden":
        return SchemaFlawError(keys, f"unknown key; known are {', '.join(_table(keys).model_fields)}")
    if first["type"] == "missing":
        what = "an endpoint" if _table(keys) is _Endpoint else "a waiver"
        return SchemaFlawError(keys[:-1], f"{what} without '{keys[-1]}'")
    if first["type"] == "value_error":
        return SchemaFlawError(keys, str(first["ctx"]["error"]))
    return SchemaFlawError(keys, f"must be a table, not {kind_of(first['input'])}")


def _table(keys: Keys) -> type[BaseModel]:
    """The table that a key is in."""
    if len(keys) < 4:
        return _Document if len(keys) == 1 else _Entry
    return _Endpoint if keys[2] == "endpoint" else _Waiver
