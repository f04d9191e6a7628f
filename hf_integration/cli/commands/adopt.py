"""``sslauth adopt``."""

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli.commands.lock import refuse_in_ci
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.loading.adopting import Adopted

EPILOG = """\b
Examples:
  pytest --sslauth-observe-report=loaded.json
  sslauth adopt loaded.json
  sslauth adopt loaded.json --yes

Shows which entries would be added to sslauth.toml, and asks before it writes them. An entry pins the commit
that was loaded, and the card if there is one in cards/ or with the encoder. It is no check: the entry of an
encoder without a card fails until its card is minted. No entry is changed or replaced. Where no entry helps
(a converted file, a server whose model is no Hub repository) it is said what to do instead.

\b
Ends with 0 when the entries were written, when there are none to write, or when the answer was no; with 2 if
there is nobody to ask and --yes is not given; with 4 if the report is damaged.

\b
JSON: {"schema": 1, "file", "written", "encoders": [{"reference", "api", "name", "entry", "needs": [...]}],
"unknown": [...]}. Quiet: written, unchanged or declined."""


@job()
def adopt(
    streams: Streams,
    hub: HubOptions,
    report: Annotated[
        Path, typer.Argument(metavar="REPORT", help="What 'pytest --sslauth-observe-report=FILE' wrote.")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Write the entries without asking.")] = False,
    allow_ci: Annotated[
        bool, typer.Option("--allow-ci", help="Write pins although CI is set: nobody reviews them there.")
    ] = False,
) -> int:
    """Add what was loaded unchecked to sslauth.toml.

    Turns the report of 'pytest --sslauth-observe-report' into entries, after showing them.
    """
    if not allow_ci:
        refuse_in_ci("adopt where somebody looks at it, or give --allow-ci")
    streams.keep_apart(report)
    from hf_integration.checking.finding import Project
    from hf_integration.checking.pins import PINS_FILE, Pins, pins_in
    from hf_integration.checking.pins.editing import write_pins
    from hf_integration.loading.adopting import adopt as adopted
    from hf_integration.loading.report import read_report

    loads, unknown = read_report(report, Path())
    before = pins_in(Path())
    pins = before or Pins(Path(PINS_FILE))
    found, text = adopted(loads, pins, Project(), hub.access(streams))
    changes = any(encoder.entry is not None for encoder in found)
    if streams.format not in (Format.JSON, Format.QUIET):
        streams.result(_shown(found, unknown, pins.text, text))
    agreed = changes and (yes or _agreed(pins.file.name))
    if agreed:
        write_pins(pins.file, text, before=None if before is None else before.text)
        streams.say(f"wrote {pins.file.name}: nothing in it was checked yet; review and commit it")
    if streams.format == Format.JSON:
        streams.result(strict_json(_summary(found, unknown, written=agreed)))
    elif streams.format == Format.QUIET:
        streams.result("written" if agreed else "declined" if changes else "unchanged")
    return 0


def _agreed(file: str) -> bool:
    """Whether the person in front of the terminal wants the entries.

    Raises:
        UsageError: nobody is there.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"nothing was written: nobody is there to ask about {file}", remedy="give --yes")
    sys.stderr.write(f"write this to {file}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _shown(found: "Sequence[Adopted]", unknown: Sequence[str], before: str, after: str) -> str:
    """The difference that the entries make, and what is to be done besides."""
    name = "sslauth.toml"
    sides = (before.splitlines(), after.splitlines())
    lines = [harmless(line) for line in difflib.unified_diff(*sides, name, name, n=1, lineterm="")]
    for encoder in found:
        what = encoder.name or f"{encoder.load.reference} (by {encoder.load.api})"
        lines += ["", harmless(what), *(f"  {harmless(line, longest=1000)}" for line in encoder.needs)]
    if unknown:
        names = ", ".join(harmless(name) for name in unknown)
        lines += ["", f"the report is not whole: what {names} loaded is not known"]
    return "\n".join(lines).strip("\n") or "nothing was loaded that nobody authenticated"


def _summary(found: "Sequence[Adopted]", unknown: Sequence[str], *, written: bool) -> dict[str, Any]:
    from hf_integration.checking.pins import PINS_FILE

    return {
        "schema": 1,
        "file": PINS_FILE,
        "written": written,
        "encoders": [
            {
                "reference": encoder.load.reference,
                "api": encoder.load.api,
                "name": encoder.name or None,
                "entry": encoder.entry,
                "needs": list(encoder.needs),
            }
            for encoder in found
        ],
        "unknown": list(unknown),
    }
