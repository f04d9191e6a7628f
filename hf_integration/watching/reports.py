"""What a history says, for people and for programs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.report.columns import margin_text, table
from hf_integration.watching.diagram import LEGEND, diagram
from hf_integration.watching.entry import Entry, worst, written
from hf_integration.watching.standing import Standing, long, status_words

SCHEMA = 1

LATEST = 10
"""Checks that are listed one by one."""

MOST_CHANGES = 20

LONGEST_REASON = 100


def one_line(entry: Entry) -> str:
    """A check as the terminal shows it while it is watched."""
    margin = "no margin" if entry.margin is None else f"margin {margin_text(entry.margin)}"
    return harmless(
        f"{_moment(entry.began)}  {status_words(entry)}  {margin}  {entry.subject}: {entry.reason}",
        longest=LONGEST_REASON * 6,
    )


def in_words(standings: Sequence[Standing], *, since: datetime | None) -> str:
    """The whole history for people: how everybody stands, then margin over time and changes of each."""
    rows = [("subject", "status", "margin", "checked", "passes since")]
    rows += [
        (
            str(one.subject),
            _status(one),
            "-" if one.newest.margin is None else margin_text(one.newest.margin),
            f"{long(one.age)} ago",
            _passes_since(one),
        )
        for one in standings
    ]
    sections = [table(rows)]
    sections += [section for one in standings for section in _sections(one, since)]
    return "\n\n".join("\n".join(section) for section in sections)


def in_a_word(standings: Sequence[Standing]) -> str:
    """The status of each subject, a line each; one alone has the line for itself."""
    if len(standings) == 1:
        return _status(standings[0])
    return "\n".join(f"{one.subject}: {_status(one)}" for one in standings)


def in_json(
    standings: Sequence[Standing], *, file: Path, since: datetime | None, now: datetime, max_age: timedelta
) -> str:
    """The history for programs."""
    return strict_json(
        {
            "schema": SCHEMA,
            "file": str(file),
            "now": written(now),
            "max_age": max_age.total_seconds(),
            "exit_status": int(worst([one.exit_status for one in standings])),
            "subjects": [_plain(one, since) for one in standings],
        }
    )


def _plain(standing: Standing, since: datetime | None) -> dict[str, Any]:
    newest, broke, authentic = standing.newest, standing.broke, standing.last_authentic
    return {
        "encoder": standing.subject.encoder,
        "endpoint": standing.subject.endpoint,
        "model": standing.subject.model,
        "status": newest.outcome,
        "exit_status": int(standing.exit_status),
        "stale": standing.stale,
        "age": standing.age.total_seconds(),
        "last_check": written(newest.began),
        "last_authentic": None if authentic is None else written(authentic),
        "broke": None if broke is None else {"at": written(broke.began), "reason": broke.reason},
        "counts": dict(standing.counts),
        "changes": [
            {"at": written(one.at), "what": one.what, "before": one.before, "after": one.after}
            for one in standing.changes(since)
        ],
        "checks": [dict(entry.to_dict()) for entry in standing.since(since)],
    }


def _sections(standing: Standing, since: datetime | None) -> list[list[str]]:
    entries = standing.since(since)
    head = [f"{standing.subject}", f"  {_counted(standing)}"]
    if standing.stale:
        head.append(f"  {standing.stale}: this is not a pass, whatever the last check said")
    if (broke := standing.broke) is not None:
        head.append(f"  {_broke(standing, broke)}: {harmless(broke.reason, longest=LONGEST_REASON * 3)}")
    if not entries:
        return [[*head, "  nothing was checked in the time that was asked for"]]
    return [
        head,
        ["  margin over time", *diagram(entries), f"  {LEGEND}"],
        _changes(standing, since),
        _latest(entries),
    ]


def _status(standing: Standing) -> str:
    said = status_words(standing.newest)
    return f"{said}, too old: not a pass" if standing.stale and standing.newest.passed else said


def _counted(standing: Standing) -> str:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in standing.counts.items() if count)
    return f"{len(standing.entries)} checks since {_moment(standing.entries[0].began)}: {counts}"


def _passes_since(standing: Standing) -> str:
    """Since when every check was a pass."""
    if standing.broke is not None:
        return "-"
    first = standing.newest
    for entry in reversed(standing.entries):
        if not entry.passed:
            break
        first = entry
    return _moment(first.began)


def _broke(standing: Standing, broke: Entry) -> str:
    before = [entry for entry in standing.entries if entry.number < broke.number and entry.passed]
    last = f"the last pass was at {_moment(before[-1].began)}" if before else "no check before was a pass"
    return f"no pass since {_moment(broke.began)} ({last}); the first of these was {status_words(broke)}"


def _changes(standing: Standing, since: datetime | None) -> list[str]:
    changes = standing.changes(since)
    if not changes:
        return ["  nothing changed from one check to the next"]
    lines = [f"  what changed: {len(changes)}"]
    for one in changes[-MOST_CHANGES:]:
        after, before = (harmless(text, longest=LONGEST_REASON) for text in (one.after, one.before))
        lines.append(f"    since {_moment(one.at)}: {one.what} {after}, before {before}")
    if len(changes) > MOST_CHANGES:
        lines.insert(1, f"    {len(changes) - MOST_CHANGES} more before these")
    return lines


def _latest(entries: Sequence[Entry]) -> list[str]:
    rows = [("check", "began", "status", "margin", "")]
    rows += [
        (
            str(entry.number),
            _moment(entry.began),
            status_words(entry),
            "-" if entry.margin is None else margin_text(entry.margin),
            "" if entry.passed else harmless(entry.reason, longest=LONGEST_REASON),
        )
        for entry in entries[-LATEST:]
    ]
    return [f"  the latest {len(rows) - 1} of {len(entries)} checks", *table(rows, right=(0, 3))]


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
