"""What ``sslauth.toml`` may say. Strict: a key that is misspelt would otherwise pin nothing.

The file may come with a repository that was checked out from a stranger: names, paths and strings are
bounded, plain, and lead nowhere but below the file's own surroundings.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from hf_integration.base.repo_ids import REPO_ID
from hf_integration.base.text import harmless
from hf_integration.checking.pins.pin import Pin, Waiver

VERSION = 1
MOST_ENCODERS = 1000
MOST_WAIVERS = 100
LONGEST = 500

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
"""Names are folders of cards, and can never be mistaken for ``org/name``."""

# as wide as the Hub's client is, and git: what could be downloaded can be pinned
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REVISION = re.compile(r"(?!.*\.\.)(?!/)[^\s\\:?*\[~^\x00-\x1f\x7f]{1,255}")
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


def pins_of(document: Mapping[str, Any], file: Path) -> dict[str, Pin]:
    """Validate a whole document.

    Raises:
        SchemaFlawError: an unknown key, a missing one, or a value that cannot be meant.
    """
    if "version" not in document:
        raise SchemaFlawError((), f"no 'version': write version = {VERSION}")
    if type(document["version"]) is not int or document["version"] != VERSION:
        raise SchemaFlawError(("version",), f"this version of sslauth reads version {VERSION} only")
    _refuse_unknown((), document, ("version", "encoders"))
    encoders = _table(("encoders",), document.get("encoders", {}))
    if len(encoders) > MOST_ENCODERS:
        raise SchemaFlawError(("encoders",), f"{len(encoders)} encoders, more than {MOST_ENCODERS}")
    return {name: _pin(name, value, file) for name, value in encoders.items()}


def _pin(name: str, value: Any, file: Path) -> Pin:
    keys: Keys = ("encoders", name)
    if not NAME.fullmatch(name):
        raise SchemaFlawError(keys, "a name has up to 96 letters, digits, '.', '_' and '-', no others")
    entry = _table(keys, value)
    _refuse_unknown(keys, entry, (*_VALUES, "waivers"))
    read = {key: _VALUES[key]((*keys, key), entry[key]) for key in _VALUES if key in entry}
    if ("repo" in read) == ("path" in read):
        both = "both 'repo' and 'path': one encoder lies in one place"
        raise SchemaFlawError(keys, both if "repo" in read else "no 'repo' (or 'path', for a local folder)")
    for key in ("track", "commit"):
        if "path" in read and key in read:
            raise SchemaFlawError((*keys, key), "a folder ('path') has no revisions")
    waivers = entry.get("waivers", [])
    if not isinstance(waivers, list) or len(waivers) > MOST_WAIVERS:
        raise SchemaFlawError(
            (*keys, "waivers"), f"not up to {MOST_WAIVERS} tables: write [[encoders.{name}.waivers]]"
        )
    accepted = tuple(_waiver((*keys, "waivers", place), item) for place, item in enumerate(waivers))
    return Pin(name, file, **read, waivers=accepted)


def _waiver(keys: Keys, value: Any) -> Waiver:
    entry = _table(keys, value)
    _refuse_unknown(keys, entry, ("state", "reason", "until"))
    for key in ("state", "reason", "until"):
        if key not in entry:
            raise SchemaFlawError(keys, f"a waiver without '{key}'")
    reason = _string((*keys, "reason"), entry["reason"])
    if not reason.strip():
        raise SchemaFlawError((*keys, "reason"), "empty: say why the alteration is accepted")
    return Waiver(_digest((*keys, "state"), entry["state"]), reason, _date((*keys, "until"), entry["until"]))


def _refuse_unknown(keys: Keys, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise SchemaFlawError((*keys, key), f"unknown key; known are {', '.join(known)}")


def _table(keys: Keys, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SchemaFlawError(keys, f"must be a table, not {_kind(value)}")
    return value


def _string(keys: Keys, value: Any) -> str:
    if not isinstance(value, str):
        raise SchemaFlawError(keys, f"must be a string, not {_kind(value)}")
    if not value:
        raise SchemaFlawError(keys, "empty")
    if len(value) > LONGEST:
        raise SchemaFlawError(keys, f"{len(value)} characters, more than {LONGEST}")
    if harmless(value, longest=LONGEST) != value:
        raise SchemaFlawError(keys, "holds control characters")
    return value


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[Keys, Any], str]:
    def read(keys: Keys, value: Any) -> str:
        text = _string(keys, value)
        if not pattern.fullmatch(text):
            raise SchemaFlawError(keys, f"{text[:80]!r} is not {what}")
        return text

    return read


def _path(keys: Keys, value: Any) -> str:
    text = _string(keys, value)
    absolute = PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor
    if absolute or text.startswith("~") or "\\" in text:
        raise SchemaFlawError(
            keys, f"{text[:80]!r} is not a path relative to this file, with '/' between folders"
        )
    return text


def _signer(keys: Keys, value: Any) -> str:
    text = _string(keys, value)
    if not text.startswith("sigstore:"):
        return _path(keys, text)
    if not _SIGSTORE.fullmatch(text):
        raise SchemaFlawError(keys, f"{text[:80]!r} is not sigstore:IDENTITY@ISSUER, the issuer being a URL")
    return text


def _date(keys: Keys, value: Any) -> date:
    """A TOML date, or the same in quotes; with a time of day it would be in doubt where it ends."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        with contextlib.suppress(ValueError):
            value = date.fromisoformat(value)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise SchemaFlawError(keys, "must be a date such as 2030-01-31, without a time")
    return value


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


_digest = _matching(_DIGEST, "sha256: and 64 lower-case hexadecimal digits")
_VALUES: Mapping[str, Callable[[Keys, Any], str]] = {
    "repo": _matching(REPO_ID, "a Hub repo id, org/name"),
    "path": _path,
    "track": _matching(_REVISION, "the name of a branch or tag"),
    "card": _path,
    "commit": _matching(_COMMIT, "a commit of 40 lower-case hexadecimal digits"),
    "card_digest": _digest,
    "signer": _signer,
}
