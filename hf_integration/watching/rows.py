"""The table of a history, and its rows, read strictly: SQLite keeps whatever it is given."""

import math
from datetime import UTC, datetime
from typing import Any

from hf_integration.base.vocabulary import ExitStatus
from hf_integration.watching.entry import OUTCOMES, Entry, Subject, written

TABLE = f"""\
CREATE TABLE checks (
    number INTEGER PRIMARY KEY,
    began TEXT NOT NULL,
    seconds REAL NOT NULL,
    encoder TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ({", ".join(f"'{outcome}'" for outcome in OUTCOMES)})),
    exit_status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    margin REAL,
    trust TEXT,
    card TEXT,
    revision TEXT,
    expected TEXT,
    found TEXT,
    unnoticed REAL,
    verdict TEXT,
    CHECK ((verdict IS NULL) = (outcome = 'error'))
)"""

_TEXT, _PERHAPS = (str,), (str, type(None))
COLUMNS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "began": _TEXT,
    "seconds": (float,),
    "encoder": _TEXT,
    "endpoint": _TEXT,
    "model": _TEXT,
    "outcome": _TEXT,
    "exit_status": (int,),
    "reason": _TEXT,
    "margin": (float, type(None)),
    "trust": _PERHAPS,
    "card": _PERHAPS,
    "revision": _PERHAPS,
    "expected": _PERHAPS,
    "found": _PERHAPS,
    "unnoticed": (float, type(None)),
}
"""Columns and what may be in them: all but the verdict, which is large and rarely asked for."""

_STATUSES: dict[str, tuple[ExitStatus, ...]] = {
    "authentic": (ExitStatus.DONE,),
    "altered": (ExitStatus.ALTERED, ExitStatus.DONE),
    "inconclusive": (ExitStatus.INCONCLUSIVE,),
    "error": (ExitStatus.USAGE, ExitStatus.INCONCLUSIVE, ExitStatus.INTEGRITY, ExitStatus.INTERNAL),
}

MOST = 1 << 53
"""Of the number of a check. Behind the largest number that SQLite has, the next check gets any number."""


def entry_of(row: dict[str, Any]) -> Entry:
    """A row, read strictly: SQLite keeps whatever type it is given.

    Raises:
        ValueError: a value that no check has.
        TypeError: a value of another type.
    """
    for name, kinds in COLUMNS.items():
        if not isinstance(row[name], kinds):
            raise TypeError(f"{name} is {type(row[name]).__name__}")
    for name in ("seconds", "margin", "unnoticed"):
        if row[name] is not None and not math.isfinite(row[name]):
            raise ValueError(f"{name} is {row[name]}")
    if not 0 < row["number"] <= MOST:
        raise ValueError("a number that no check has")
    if row["exit_status"] not in _STATUSES.get(row["outcome"], ()):
        raise ValueError("an outcome that is unknown, or has another exit status")
    subject = Subject(row.pop("encoder"), row.pop("endpoint"), row.pop("model"))
    return Entry(**{**row, "began": _moment(row["began"]), "subject": subject})


def _moment(text: str) -> datetime:
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if written(moment) != text:
        raise ValueError("a moment that is written in another way")
    return moment
