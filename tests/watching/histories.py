"""Histories made by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hf_integration.verdict import Deployment, Verdict
from hf_integration.watching.entry import Entry, Subject, of_error, of_verdict
from tests.report import verdicts

START = datetime(2026, 11, 3, 9, 0, 0, tzinfo=UTC)
SUBJECT = Subject("search", "http://localhost:8080")

VERDICTS: dict[str, Verdict] = {
    "authentic": verdicts.AUTHENTIC,
    "altered": verdicts.ALTERED,
    "inconclusive": verdicts.INCONCLUSIVE,
    "waived": verdicts.WAIVED,
}
KINDS = (*VERDICTS, "error")


def entry(kind: str, *, hours: float = 0, subject: Subject = SUBJECT, **changed: Any) -> Entry:
    """What came of a check so many hours after the start."""
    began = START + timedelta(hours=hours)
    if kind == "error":
        return of_error("the server was not reached", 3, subject, began=began, seconds=1.5)
    verdict = VERDICTS[kind]
    if changed:
        from dataclasses import replace

        verdict = replace(verdict, **changed)
    return of_verdict(verdict, subject, began=began, seconds=1.5)


def hourly(kinds: Sequence[str], *, subject: Subject = SUBJECT) -> list[Entry]:
    """One check an hour, numbered as a history would."""
    from dataclasses import replace

    found = (entry(kind, hours=hour, subject=subject) for hour, kind in enumerate(kinds))
    return [replace(one, number=number) for number, one in enumerate(found, 1)]


def deployment(found: str | None) -> Deployment:
    return Deployment(SUBJECT.endpoint, "tei", "torch: as the encoder itself", found, requests=64)
