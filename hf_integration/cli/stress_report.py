"""A stress run as tables for people."""

from collections.abc import Sequence

from hf_integration.report.columns import margin_text, number, table
from hf_integration.report.escaping import harmless
from hf_integration.stress import Alteration, BenignChange, StressReport


def render_stress(report: StressReport) -> str:
    """Both lists, what was missed, and every false alarm; no final line break."""
    missed, alarms, nothing = report.missed, report.false_alarms, report.nothing_altered
    ran, kinds = (
        len(report.benign) - len(report.not_run) - len(report.idle),
        len(report.alterations) - len(nothing),
    )
    altered = [("alteration", "verdict", "seen by the watermark alone", "from strip", "given away by")]
    altered += [_altered(alteration) for alteration in report.alterations if not alteration.nothing]
    precisions = tuple(dict.fromkeys(change.precision for change in report.benign))
    sections = [
        [
            f"STRESS of {harmless(report.encoder)}: {kinds} kinds of alteration, {len(missed)} missed; "
            f"{ran} benign runs, {len(alarms)} false alarms",
            f"checked in {report.precision}, {_draws(report.seeds)} each, {report.seconds:.0f} s",
        ],
        table(altered),
        table(_benign(report.benign, precisions), right=range(1, 1 + len(precisions))),
        ["margins: tolerance / error; below 1 is a false alarm; =: changes nothing, and was not counted"],
        [f"MISSED: {harmless(alteration.name)}" for alteration in missed],
        [f"ALTERS NOTHING: {harmless(a.name)}: {harmless(a.nothing)}" for a in nothing],
        list(dict.fromkeys(f"NOT RUN: {harmless(c.name)}: {harmless(c.note)}" for c in report.not_run)),
        [f"FALSE ALARM: {harmless(c.name)} in {c.precision}: {harmless(c.note)}" for c in alarms],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _draws(seeds: int) -> str:
    return "1 draw" if seeds == 1 else f"{seeds} draws"


def _altered(alteration: Alteration) -> tuple[str, str, str, str, str]:
    if alteration.floor is None:
        seen = "no"
    elif alteration.unit and alteration.floor == alteration.smallest:
        seen = f"{number(alteration.floor)} {alteration.unit} (the least)"
    elif alteration.unit:
        seen = f"{number(alteration.floor)} {alteration.unit}"
    else:
        seen = "yes"
    return (
        alteration.name,
        alteration.status or "refused",
        seen,
        harmless(alteration.strip or "", longest=30),
        harmless(", ".join(alteration.evidence), longest=80),
    )


def _benign(changes: Sequence[BenignChange], precisions: Sequence[str]) -> list[tuple[str, ...]]:
    """A row for each change, a column for each precision."""
    cells = {(change.name, change.precision): _margin(change) for change in changes}
    names = dict.fromkeys(change.name for change in changes)
    rows = [
        (harmless(name), *(cells.get((name, precision), "") for precision in precisions)) for name in names
    ]
    return [("benign change", *precisions), *rows]


def _margin(change: BenignChange) -> str:
    if change.margin is None:
        return "not run"
    if change.false_alarm:
        return f"{margin_text(change.margin)} ALARM"
    return "=" if change.idle else margin_text(change.margin)
