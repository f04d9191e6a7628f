"""A stress run as tables for people."""

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
    benign = [("benign change", "precision", "margin", "")]
    benign += [_benign(change) for change in report.benign]
    sections = [
        [
            f"STRESS of {harmless(report.encoder)}: {kinds} kinds of alteration, {len(missed)} missed; "
            f"{ran} benign runs, {len(alarms)} false alarms",
            f"checked in {report.precision}, {_draws(report.seeds)} each, {report.seconds:.0f} s",
        ],
        table(altered),
        table(benign, right=(2,)),
        [f"MISSED: {harmless(alteration.name)}" for alteration in missed],
        [f"ALTERS NOTHING: {harmless(a.name)}: {harmless(a.nothing)}" for a in nothing],
        [f"CHANGES NOTHING: {harmless(c.name)} in {c.precision}: not counted" for c in report.idle],
        [f"NOT RUN: {harmless(c.name)} in {c.precision}: {harmless(c.note)}" for c in report.not_run],
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


def _benign(change: BenignChange) -> tuple[str, str, str, str]:
    margin = "not run" if change.margin is None else margin_text(change.margin)
    mark = "FALSE ALARM" if change.false_alarm else harmless(change.note, longest=60)
    return change.name, change.precision, margin, mark
