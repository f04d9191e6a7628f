"""``sslauth lock``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_integration.base.errors import InconclusiveError, IntegrityError, UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin, Pins
    from hf_integration.checking.standing import Standing


EPILOG = """\b
Examples:
  sslauth lock
  sslauth lock minilm
  sslauth lock --check

Resolves what each encoder tracks, and writes its commit and the digest of its card into sslauth.toml, after
showing what changes. Review that like code: whatever is pinned passes from then on.

\b
With --check nothing is written. Ends with 0 if all pins are what they would be today, with 4 if one is not,
or if its card was replaced, revoked or expired, and with 3 if the Hub could not be asked.

\b
JSON: {"schema": 1, "file", "written", "stale", "encoders": [{"name", "card",
"changes": [{"key", "old", "new"}], "objections": [...], "unanswered", "note"}]}
Quiet: fresh, stale or unknown; locked or unchanged without --check."""

STALE = ExitStatus.INTEGRITY

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...", help="Names in sslauth.toml; all of them by default.", show_default=False
    ),
]


@job()
def lock(
    streams: Streams,
    hub: HubOptions,
    names: NamesArgument = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with 4 if a pin is stale.")
    ] = False,
    allow_ci: Annotated[
        bool, typer.Option("--allow-ci", help="Write pins although CI is set: nobody reviews them there.")
    ] = False,
) -> int:
    """Renew the pins in sslauth.toml.

    Pins the commits that are tracked now, and the digests of their cards.
    """
    if not check and not allow_ci:
        refuse_in_ci("run `sslauth lock --check` there, or give --allow-ci")
    pins = project_pins()
    chosen = chosen_pins(pins, names, streams)
    from hf_integration.base.vocabulary import today
    from hf_integration.checking.standing import checked_standing, standing_of

    find_out = checked_standing if check else standing_of
    standings = []
    for pin in chosen:
        streams.say(f"resolving {pin} ...")
        standings.append(find_out(pin, today=today(), token=hub.token))
    return _report(standings, streams) if check else _write(pins, standings, streams)


def refuse_in_ci(remedy: str) -> None:
    """Refuse to write pins where nobody reviews them.

    Args:
        remedy: what to do instead.

    Raises:
        UsageError: this runs in CI.
    """
    if in_ci():
        raise UsageError("CI is set: a pin that CI writes is a pin that nobody looked at", remedy=remedy)


def in_ci() -> bool:
    """Whether this runs on a machine that nobody watches."""
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


def project_pins() -> "Pins":
    """The ``sslauth.toml`` of the current directory.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    from hf_integration.checking.pins import PINS_FILE, pins_in

    pins = pins_in(Path())
    if pins is None:
        raise UsageError(f"there is no {PINS_FILE} here", remedy="make one with `sslauth add ENCODER`")
    return pins


def chosen_pins(pins: "Pins", names: Sequence[str] | None, streams: Streams) -> "list[Pin]":
    """The entries of these names, all of them without any; outputs are kept apart from what entries name.

    Raises:
        UsageError: there is no such entry.
        OutputError: an output would replace something that an entry names.
    """
    streams.keep_apart(*(path for pin in pins.encoders.values() for path in pin.inputs))
    for name in names or ():
        if name not in pins.encoders:
            known = ", ".join(pins.encoders) or "none"
            raise UsageError(f"no encoder '{name}' in {pins.file.name}", remedy=f"there are: {known}")
    return [pin for pin in pins.encoders.values() if not names or pin.name in names]


def _report(standings: "Sequence[Standing]", streams: Streams) -> int:
    """Say which pins are stale; an answer that is missing does not hide one that was found."""
    stale = [standing for standing in standings if standing.stale]
    unanswered = [standing.unanswered for standing in standings if standing.unanswered]
    word = "stale" if stale else "unknown" if unanswered else "fresh"
    _show(standings, streams, word, written=False)
    if not stale and unanswered:
        raise InconclusiveError(unanswered[0])
    return STALE if stale else 0


def _write(pins: "Pins", standings: "Sequence[Standing]", streams: Streams) -> int:
    """Show what changes, and only then change it."""
    from hf_integration.checking.pins.editing import with_values, write_pins

    for standing in standings:
        for objection in standing.objections:
            raise IntegrityError(f"'{standing.pin.name}' is not locked: {objection}")
        if standing.unanswered:
            raise InconclusiveError(f"'{standing.pin.name}' is not locked: {standing.unanswered}")
    changed = {s.pin.name: {change.key: change.new for change in s.changes} for s in standings if s.changes}
    text = with_values(pins.text, changed)
    _show(standings, streams, "locked" if changed else "unchanged", written=bool(changed))
    if changed:
        write_pins(pins.file, text, before=pins.text)
        streams.say(f"wrote {pins.file.name}: review the difference before you commit it")
    return 0


def _show(standings: "Sequence[Standing]", streams: Streams, word: str, *, written: bool) -> None:
    if streams.format == Format.JSON:
        streams.result(strict_json(_summary(standings, written)))
    elif streams.format == Format.QUIET:
        streams.result(word)
    else:
        lines = (line for standing in standings for line in entry_lines(standing, word))
        streams.result("\n".join(lines) or word)


def entry_lines(standing: "Standing", word: str) -> list[str]:
    """One entry: every pin that changes, old and new.

    Args:
        standing: how it stands.
        word: ``locked`` once that was written.
    """
    pin = standing.pin
    tracked = f"{pin.repo}, {pin.tracked}" if pin.repo else f"{pin.path}"
    state = "not known" if standing.unanswered else "unchanged"
    if standing.stale:
        new = all(change.old is None for change in standing.changes)
        state = "stale" if word != "locked" else "pinned" if new else "changed"
    lines = [f"{pin.name} ({harmless(tracked)}): {state}"]
    if standing.card:
        lines.append(f"  card         {harmless(standing.card)}")
    lines += [f"  {c.key:<12} {c.old or 'not pinned'} -> {harmless(c.new)}" for c in standing.changes]
    lines += [f"  {harmless(text, longest=1000)}" for text in standing.objections]
    lines += [f"  {harmless(text, longest=1000)}" for text in (standing.unanswered, standing.note) if text]
    return lines


def _summary(standings: "Sequence[Standing]", written: bool) -> dict[str, Any]:
    from hf_integration.checking.pins import PINS_FILE

    return {
        "schema": 1,
        "file": PINS_FILE,
        "written": written,
        "stale": any(standing.stale for standing in standings),
        "encoders": [entry_summary(standing) for standing in standings],
    }


def entry_summary(standing: "Standing") -> dict[str, Any]:
    """One entry as plain JSON values."""
    return {
        "name": standing.pin.name,
        "card": standing.card,
        "changes": [{"key": change.key, "old": change.old, "new": change.new} for change in standing.changes],
        "objections": list(standing.objections),
        "unanswered": standing.unanswered or None,
        "note": standing.note or None,
    }
