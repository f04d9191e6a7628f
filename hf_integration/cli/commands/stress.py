"""``sslauth stress``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli import options
from hf_integration.cli.options import HubOptions, job, understood
from hf_integration.cli.streams import Format, Streams
from hf_integration.report.columns import margin_text, number, table

if TYPE_CHECKING:
    from hf_integration.stress import Alteration, BenignChange, StressReport

EPILOG = """\b
Examples:
  sslauth stress ./my-encoder --card cards/my-encoder
  sslauth stress ORG/NAME --card cards/NAME --seeds 5 --format json --output stress.json

Alters copies of the encoder in every known way. Says what gave each alteration away, and the smallest size
at which the watermark alone sees it, without digests. Then it runs every known benign change. It takes
minutes on two cores. Ends with 0 when everything was tried, whatever the results, and with 3 if the encoder
itself is not authentic.

\b
JSON: {"schema": 1, "encoder", "card", "precision", "seeds", "seconds",
"alterations": [{"name", "status", "evidence": [...], "floor", "strip", "unit", "smallest", "nothing",
"detected"}],
"benign": [{"name", "precision", "margin", "note", "idle", "false_alarm"}]}
What is null was not tried, and "nothing" or "note" says why. A margin of 1000000 means that or more. A
benign run that is idle changed nothing here, and is not counted.
Quiet: the numbers of missed alterations and of false alarms."""


@job()
def stress(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[str, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP)],
    *,
    card: Annotated[
        str | None,
        typer.Option(
            "--card", metavar="DIR|REPO", help="The card to put to the test; by default the pinned one."
        ),
    ] = None,
    revision: options.RevisionOption = None,
    precision: Annotated[
        options.PrecisionName | None,
        typer.Option("--precision", help="Arithmetic of the checks; by default the strictest possible."),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, help="Random draws of every alteration of weights.")
    ] = 1,
    device: options.DeviceOption = None,
) -> int:
    """Test a card with every known alteration.

    Every known benign change is run as well.
    """
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.subject import load_subject

    asked, project = Asked(encoder=encoder, card=card, revision=revision), Project()
    if not card and project.encoder(asked).pin is None:
        raise UsageError(f"no card given for {encoder!r}", remedy="name one with --card")
    found = understood(project.find(asked), streams)
    subject = load_subject(found, hub.access(streams, device))
    loaded, held = subject.encoder, subject.card
    streams.keep_apart(Path(held.location), *([loaded.path] if loaded.path else []))
    from hf_integration.stress import stress as run_stress

    with streams.progress() as progress:
        report = run_stress(
            loaded,
            held,
            precision=precision.value if precision else None,
            seeds=seeds,
            progress=progress,
        )
    if streams.format == Format.JSON:
        streams.result(strict_json(report.to_dict()))
    elif streams.format == Format.QUIET:
        streams.result(f"{len(report.missed)} missed, {len(report.false_alarms)} false alarms")
    else:
        streams.result(render_stress(report))
    return 0


def render_stress(report: "StressReport") -> str:
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


def _altered(alteration: "Alteration") -> tuple[str, str, str, str, str]:
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


def _benign(changes: "Sequence[BenignChange]", precisions: Sequence[str]) -> list[tuple[str, ...]]:
    """A row for each change, a column for each precision."""
    cells = {(change.name, change.precision): _margin(change) for change in changes}
    names = dict.fromkeys(change.name for change in changes)
    rows = [
        (harmless(name), *(cells.get((name, precision), "") for precision in precisions)) for name in names
    ]
    return [("benign change", *precisions), *rows]


def _margin(change: "BenignChange") -> str:
    if change.margin is None:
        return "not run"
    if change.false_alarm:
        return f"{margin_text(change.margin)} ALARM"
    return "=" if change.idle else margin_text(change.margin)
