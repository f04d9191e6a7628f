"""``sslauth bom``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import SSLAuthError, UsageError
from hf_integration.base.output_files import check_apart, check_file, write_whole
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli import options
from hf_integration.cli.attesting import Noted
from hf_integration.cli.commands.lock import project_pins
from hf_integration.cli.options import HubOptions, job, understood
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.bom import CheckedEncoder
    from hf_integration.checking.finding import Found
    from hf_integration.checking.held_card import Access

EPILOG = """\b
Examples:
  sslauth bom --out encoders.cdx.json
  sslauth bom search ORG/NAME --out encoders.cdx.json

Checks every encoder, as 'sslauth verify' does, and writes those that are authentic into a bill of materials:
CycloneDX 1.6, components of type machine-learning-model with their package URL, digests, files and watermark
card. Without names, all entries of sslauth.toml.

What is not authentic, waived or not, is no component of it: it is named as left out, there and here. The
status is then that of the worst check, as 'sslauth verify' gives it, and the file is written all the same.

\b
JSON: {"schema": 1, "bom", "encoders": [{"name", "status" or null, "reason", "uri" or null, "listed"}]}
Quiet: how many are listed, of how many."""


@dataclass(frozen=True)
class _Outcome:
    """What came of one encoder: a check, or why there is none."""

    name: str
    status: int
    reason: str
    checked: "CheckedEncoder | None" = None

    @property
    def listed(self) -> bool:
        return self.checked is not None and self.checked.verdict.authentic


@job()
def bom(
    streams: Streams,
    hub: HubOptions,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ENCODER]...",
            help="Names in sslauth.toml, folders or Hub repositories; by default all entries.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the bill of materials.")],
    device: options.DeviceOption = None,
) -> int:
    """Write a bill of materials of the encoders that are authentic."""
    from hf_integration.bom import bill_of, require_bom
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.pins import PINS_FILE

    require_bom()
    if str(out) == "." or "" in (names or []):
        raise UsageError("--out or ENCODER is empty", remedy="is a variable unset?")
    check_file(out)
    check_apart(out, Path(PINS_FILE))
    streams.keep_apart(out)
    # what names mean is asked of all of them before anything is checked
    project = Project()
    asked = list(dict.fromkeys(names or project_pins().encoders))
    if not asked:
        raise UsageError(f"{PINS_FILE} has no encoders", remedy="add one with `sslauth add ENCODER`")
    found = [understood(project.find(Asked(encoder=name, own_card="fallback")), streams) for name in asked]
    check_apart(out, *(path for one in found for path in one.inputs))
    access = hub.access(streams, device)
    outcomes = [_outcome(one, access, out, streams) for one in found]
    left_out = {one.name: "not checked" for one in outcomes if one.checked is None}
    write_whole(out, bill_of((one.checked for one in outcomes if one.checked), left_out=left_out))
    for one in outcomes:
        if not one.listed:
            streams.say(f"left out: {one.name}: {one.reason}")
    return streams.conclude(_rendered(outcomes, out, streams.format), _worst(outcomes))


def _outcome(found: "Found", access: "Access", out: Path, streams: Streams) -> _Outcome:
    """Check one encoder; what keeps it from an answer is an outcome of its own."""
    from hf_integration.bom import CheckedEncoder
    from hf_integration.checking.subject import load_subject

    name = found.asked.encoder
    try:
        noted = Noted.of(found)
        subject = load_subject(found, access)
        check_apart(out, *([subject.encoder.path] if subject.encoder.path else []))
        with streams.progress() as progress:
            verdict = subject.authenticate(progress=progress).verdict
        checked = CheckedEncoder(verdict, noted.checked(subject.encoder, access))
    except SSLAuthError as error:
        return _Outcome(name, error.exit_status, str(error))
    return _Outcome(name, verdict.exit_status, verdict.reason, checked)


def _worst(outcomes: list[_Outcome]) -> int:
    """The status of the worst: an encoder that was altered, then evidence that is damaged."""
    order = (ExitStatus.ALTERED, ExitStatus.INTEGRITY, ExitStatus.INCONCLUSIVE, ExitStatus.USAGE)
    statuses = {one.status for one in outcomes if one.status}
    return next((status for status in order if status in statuses), max(statuses, default=0))


def _rendered(outcomes: list[_Outcome], out: Path, format: str) -> str:
    listed = [one for one in outcomes if one.listed]
    if format == Format.JSON:
        encoders = [
            {
                "name": one.name,
                "status": None if one.checked is None else one.checked.verdict.status,
                "reason": one.reason,
                "uri": None if one.checked is None else one.checked.files.uri,
                "listed": one.listed,
            }
            for one in outcomes
        ]
        return strict_json({"schema": 1, "bom": str(out), "encoders": encoders})
    if format == Format.QUIET:
        return f"{len(listed)} of {len(outcomes)}"
    lines = [f"{harmless(out)}: {len(listed)} of {len(outcomes)} encoders"]
    for one in outcomes:
        said = "listed" if one.listed else f"LEFT OUT: {harmless(one.reason, longest=1000)}"
        lines.append(f"  {harmless(one.name)}: {said}")
    return "\n".join(lines)
