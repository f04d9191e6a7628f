"""Margin over time in characters, for a terminal or the mail that cron sends."""

import math
from collections.abc import Sequence
from datetime import datetime

from hf_integration.watching.entry import Entry, worst

WIDTH = 60
"""Columns, each for an equal span of time."""

LEVELS = (1000.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
"""Rows by the least margin in them, but for what is below the last, which the last row shows as well."""

MARKS = {"authentic": "*", "altered": "x", "inconclusive": "?", "error": "!"}

LEGEND = "* authentic  x altered  ? inconclusive  ! error  (1 is the edge; of each column, the worst check)"


def diagram(entries: Sequence[Entry]) -> list[str]:
    """One line for each level, one for checks without a margin, and the axis of time.

    The axis is broken where nothing was checked. Of the checks in a column, the worst is shown.

    Args:
        entries: checks of one subject, at least one.
    """
    begin, end = (pick(entry.began for entry in entries) for pick in (min, max))
    columns: list[list[Entry]] = [[] for _ in range(WIDTH)]
    for entry in entries:
        columns[_column(entry.began, begin, end)].append(entry)
    shown = [_worst(column) if column else None for column in columns]
    lines = []
    for row, level in enumerate(LEVELS):
        ground = "-" if level == 1 else " "
        cells = (MARKS[entry.outcome] if entry and _row(entry) == row else ground for entry in shown)
        lines.append(f"{f'{level:g}':>9} |{''.join(cells)}".rstrip())
    without = (MARKS[entry.outcome] if entry and entry.margin is None else " " for entry in shown)
    lines.append(f"{'no margin':>9} |{''.join(without)}".rstrip())
    lines.append(f"{'':>9} +{''.join('-' if entry else ' ' for entry in shown)}".rstrip())
    first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (begin, end))
    lines.append(f"{'':>11}{first}{last:>{WIDTH - len(first)}}" if begin != end else f"{'':>11}{first}")
    return lines


def _column(moment: datetime, begin: datetime, end: datetime) -> int:
    span = (end - begin).total_seconds()
    return min(int((moment - begin).total_seconds() / span * WIDTH), WIDTH - 1) if span else 0


def _row(entry: Entry) -> int | None:
    """The row of an entry's margin: the first whose level it reaches, or the last."""
    if entry.margin is None:
        return None
    return next((row for row, level in enumerate(LEVELS) if entry.margin >= level), len(LEVELS) - 1)


def _worst(entries: Sequence[Entry]) -> Entry:
    """Of several checks, the one whose exit status counts; of equals, the one with the smallest margin."""
    counts = worst([entry.exit_status for entry in entries])
    of_these = [entry for entry in entries if entry.exit_status == counts] or list(entries)
    return min(of_these, key=lambda entry: math.inf if entry.margin is None else entry.margin)
