"""The tables, in Markdown, which a terminal shows as well."""

from collections.abc import Iterable, Sequence

from tests.benchmarks.floors.result import DETECTORS, LEAST_RATIO, NEVER_ABOVE, OURS, Result

LEAST_RUNS = 200
"""Held-out benign runs over all encoders and precisions."""


def markdown(result: Result) -> str:
    """Floors by family, false alarms, and the comparison with its goals."""
    heading = f"### {result.encoder} in {result.precision}, {result.keys} key samples"
    facts = "; ".join(f"{name}: {figure:.3g}" for name, figure in result.facts.items())
    left = [f"**not run yet**: {', '.join(result.left)}"] if result.left else []
    parts = [heading, _floors(result), *left, _alarms(result), _comparison(result), facts]
    return "\n\n".join(parts) + "\n"


def _floors(result: Result) -> str:
    rows = [
        [row.family, row.unit, *(str(row.floors[name]) for name in DETECTORS), str(len(row.judged))]
        for row in result.rows
    ]
    return _table(["smallest alteration seen in 5 of 5 seeds", "unit", *DETECTORS, "runs"], rows)


def _alarms(result: Result) -> str:
    rows = [
        [alarm.detector, f"{len(alarm.false)} of {alarm.runs}", f"{alarm.worst:.2g}", alarm.worst_run]
        for alarm in result.alarms
    ]
    return _table(["on held-out benign runs", "false alarms", "most of the threshold", "in"], rows)


def _comparison(result: Result) -> str:
    rows = []
    for rival in DETECTORS[1:]:
        goal = LEAST_RATIO.get(result.precision, {}).get(rival)
        reached = "" if goal is None else "reached" if result.ratio(rival) >= goal else "**short**"
        above = result.families_above(rival)
        judged = (
            "" if rival not in NEVER_ABOVE.get(result.precision, ()) else "**short**" if above else "reached"
        )
        rows.append(
            [
                rival,
                f"{result.ratio(rival):.3g}",
                "" if goal is None else f"{goal:g}",
                reached,
                "" if (times := result.sensitivity(rival)) is None else f"{times:.3g}",
                ", ".join(above) or "none",
                judged,
            ]
        )
    head = [
        f"floor of a rival / {OURS}",
        "geometric mean",
        "goal",
        "",
        "without the grid",
        "families where ours is above",
        "goal: none",
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def too_few_runs(results: Sequence[Result]) -> list[str]:
    """The goal for false alarms needs so many runs, whatever came out of fewer."""
    runs = sum(alarm.runs for result in results for alarm in result.alarms if alarm.detector == OURS)
    return [] if runs >= LEAST_RUNS else [f"{runs} held-out benign runs, goal {LEAST_RUNS}"]


def totals(results: Sequence[Result]) -> str:
    """False alarms over all encoders and precisions."""
    lines = []
    for name in DETECTORS:
        alarms = [alarm for result in results for alarm in result.alarms if alarm.detector == name]
        runs, false = sum(alarm.runs for alarm in alarms), sum(len(alarm.false) for alarm in alarms)
        lines.append(
            f"{name}: {false} false alarms in {runs} held-out benign runs, goal 0 in {LEAST_RUNS} or more"
        )
    return "\n".join(lines)
