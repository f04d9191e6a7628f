"""Types of values from strangers, checked by pydantic: one pattern for each, whoever reads it."""

import contextlib
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from hf_integration.base import strict_json
from hf_integration.base.errors import FlawError
from hf_integration.base.text import harmless, quoted
from hf_integration.base.vocabulary import REPO_ID

LONGEST = 500
"""Characters of a string that no type bounds otherwise."""


def kind_of(value: object) -> str:
    """What a value of TOML, JSON or YAML is, in words."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


def line(value: object, *, longest: int = LONGEST) -> str:
    """A string on one line that hides nothing.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind_of(value)}")
    if not value:
        raise ValueError("empty")
    if len(value) > longest:
        raise ValueError(f"{len(value)} characters, more than {longest}")
    if harmless(value, longest=longest) != value:
        raise ValueError("holds control characters")
    return value


def matching(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    """A check for lines of one form."""

    def check(value: object) -> str:
        text = line(value)
        if not pattern.fullmatch(text):
            raise ValueError(f"{text[:80]!r} is not {what}")
        return text

    return check


def said(value: object) -> str:
    """A reason: a line with something in it."""
    text = line(value)
    if not text.strip():
        raise ValueError("empty: say why the alteration is accepted")
    return text


def day(value: Any) -> date:
    """A date, or the same in quotes; with a time of day it would be in doubt where it ends."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        with contextlib.suppress(ValueError):
            value = date.fromisoformat(value)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date such as 2030-01-31, without a time")
    return value


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# as wide as git: what could be downloaded can be pinned
_REVISION = re.compile(r"(?!.*\.\.)(?!/)[^\s\\:?*\[~^\x00-\x1f\x7f]{1,255}")

Digest = Annotated[str, BeforeValidator(matching(_DIGEST, "sha256: and 64 lower-case hexadecimal digits"))]
Commit = Annotated[str, BeforeValidator(matching(_COMMIT, "a commit of 40 lower-case hexadecimal digits"))]
RepoId = Annotated[str, BeforeValidator(matching(REPO_ID, "a Hub repo id, org/name"))]
Revision = Annotated[str, BeforeValidator(matching(_REVISION, "the name of a branch or tag"))]
Said = Annotated[str, BeforeValidator(said)]
Day = Annotated[date, BeforeValidator(day)]


_REASONS = {
    "extra_forbidden": "unknown key",
    "unexpected_keyword_argument": "unknown key",
    "missing": "missing",
    "dataclass_type": "not an object",
}
"""Of types of errors, where pydantic's message does not speak of JSON."""

Record = TypeVar("Record", bound=BaseModel)


def read_record(
    kind: type[Record], data: bytes, *, what: str, format: str, schema: int, again: str
) -> tuple[Record, dict[str, Any]]:
    """Parse and validate a file of ours that may come from a stranger.

    Args:
        kind: what it has to be.
        data: untrusted bytes; the caller has bounded their number.
        what: what to call it: ``card``.
        format: what its ``format`` has to say.
        schema: the version that is read.
        again: how to get one of an older version anew.

    Returns:
        The record, and the values that it was made of.

    Raises:
        FlawError: anything at all is wrong with it.
    """
    content = strict_json.parse(data)
    if not isinstance(content, dict) or content.get("format") != format:
        raise FlawError("format", f"not a {what}, which says {format!r} here")
    version = content.get("schema")
    if type(version) is not int:  # pydantic would take True and 1.0 for 1
        raise FlawError("schema", "not a whole number")
    if version != schema:
        raise FlawError(
            "schema",
            f"the {what} has version {version}, this version of pytest-sslauth reads version {schema}",
            remedy="upgrade pytest-sslauth" if version > schema else again,
        )
    try:
        return kind.model_validate(content), content
    except ValidationError as error:
        raise first_flaw(error) from None


def first_flaw(error: ValidationError, *, below: str = "") -> FlawError:
    """The first thing that pydantic found wrong.

    Args:
        error: what it raised.
        below: the field that holds what was validated, if that was a part.
    """
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join((*filter(None, [below]), *(quoted(str(part)) for part in first["loc"])))
    reason = _REASONS.get(first["type"], first["msg"]).removeprefix("Value error, ")
    return FlawError(field, reason[:1].lower() + reason[1:])
