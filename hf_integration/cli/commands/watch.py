"""``sslauth watch``."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_integration.base.errors import OutputError, SSLAuthError, UsageError
from hf_integration.base.output_files import check_apart, check_file
from hf_integration.base.strict_json import strict_json
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli.commands.verify import check
from hf_integration.cli.options import HubOptions, job, options_of, span
from hf_integration.cli.streams import Format, Streams, abandon_output, complain, without_tokens

if TYPE_CHECKING:
    from hf_integration.verdict import Verdict
    from hf_integration.watching.entry import Entry, Subject
    from hf_integration.watching.watching import Watch


EPILOG = """\b
Examples:
  sslauth watch NAME --history checks.db --once
  sslauth watch NAME --history checks.db --every 1h --endpoint http://localhost:8080 --api tei
  sslauth watch NAME --history checks.db --every 6h --pinned-endpoint --notice 0.05 --spread 10m
  sslauth watch NAME --history checks.db --once --prometheus /var/lib/node_exporter/sslauth.prom

Checks as 'sslauth verify' does, with the same options, and records what came of it in a history, an SQLite
file. Every outcome is recorded: authentic, altered, inconclusive, and errors, such as a server that did not
answer. Each check asks an endpoint fresh texts. 'sslauth history' shows the file.

With --once, the exit status is that of the check. With --every, the command runs until Ctrl-C or SIGTERM,
and ends with the worst status of its checks: with 1 if one was altered, whatever the others were. It ends
with 130 if it was stopped before the first check was over.

A check that is stopped in the middle is not recorded. Neither is wrong usage, unless the history has a check
of the same encoder and endpoint already. If a check cannot be recorded, the status is never 0; with --every,
the next check is tried all the same.

\b
JSON: {"schema": 1, "number": place in the history or 0, "began", "seconds", "encoder", "endpoint", "model",
"outcome": authentic, altered, inconclusive or error, "exit_status", "reason", "margin": number or null,
"trust", "card", "revision", "expected", "found", "unnoticed"}
One line for each check; the history holds the JSON of 'sslauth verify' as well. Quiet: the outcome."""


@job()
@options_of(check, leave_out=("picture", "attest", "attest_key"))
def watch(
    streams: Streams,
    hub: HubOptions,
    encoder: str | None,
    *,
    history: Annotated[
        Path, typer.Option("--history", metavar="FILE", help="SQLite file for what comes of the checks.")
    ],
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="SPAN", help="Check again and again: every 90s, 10m, 1h or 1d."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Check once, as for cron.")] = False,
    prometheus: Annotated[
        Path | None,
        typer.Option(
            "--prometheus", metavar="FILE", help="Write metrics of all that the history holds there."
        ),
    ] = None,
    **chosen: Any,
) -> int:
    """Check again and again, and record every outcome."""
    if once == (every is not None):
        raise UsageError("it is not said how often to check", remedy="give either --once or --every SPAN")
    pause = None if every is None else span("--every", every).total_seconds()
    if pause is not None and streams.output is not None:
        raise UsageError("--output holds one result", remedy="leave it out: the history holds all of them")
    from hf_integration.checking.pins import PINS_FILE
    from hf_integration.watching.history import History
    from hf_integration.watching.watching import Watch

    kept = History(history)
    streams.keep_apart(history)
    if prometheus is not None:
        check_file(prometheus)
        streams.keep_apart(prometheus)
        check_apart(prometheus, history)
    streams = replace(streams, beside=(history, *([prometheus] if prometheus else [])))
    streams.keep_apart(Path(PINS_FILE))
    kept.check()
    said = iter([streams])

    def verdict() -> "Verdict":
        # what is understood by names and options is said once, and not at every check
        heard = next(said, replace(streams, quiet=True))
        return check(heard, hub, encoder, picture=None, **chosen).authentication.verdict

    watching = Watch(_subject(encoder, chosen), kept, verdict, _explained)
    if pause is None:
        return _checked(watching, prometheus, streams)
    return _until_stopped(watching, prometheus, streams, pause)


def _subject(encoder: str | None, chosen: Mapping[str, Any]) -> "Subject":
    """Who is watched, also by the endpoint that an entry of sslauth.toml names.

    Raises:
        UsageError: the entry contradicts the options, or names no endpoint.
    """
    from hf_integration.checking.deployed import wanted_of
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.watching.entry import Subject

    if encoder is None or not (chosen["endpoint"] or chosen["pinned_endpoint"]):
        return Subject(encoder or "")
    said = EndpointWanted(url=chosen["endpoint"], model=chosen["api_model"])
    whole = wanted_of(Project().encoder(Asked(encoder=encoder)), said)
    return Subject(encoder, whole.url or "", whole.model or "")


def _until_stopped(watching: "Watch", prometheus: Path | None, streams: Streams, pause: float) -> int:
    """Check until somebody stops it; the worst status of all checks."""
    from hf_integration.watching.entry import worst

    found: int | None = None
    checks = 0
    try:
        while True:
            next_time = time.monotonic() + pause
            status = _checked(watching, prometheus, streams)
            found, checks = worst([status, *([] if found is None else [found])]), checks + 1
            time.sleep(max(next_time - time.monotonic(), 0))
    except KeyboardInterrupt:
        if found is None:
            raise
        streams.say(f"stopped after {checks} checks, the worst of which ended with {found}")
        return found


def _checked(watching: "Watch", prometheus: Path | None, streams: Streams) -> int:
    """Check once, record it, say it, write the metrics: the status of all this."""
    from hf_integration.watching.entry import worst
    from hf_integration.watching.watching import write_metrics

    entry, unrecorded = watching.once()
    statuses = [entry.exit_status]
    if unrecorded is not None:
        complain(f"error: this check is not recorded: {unrecorded}")
        statuses.append(unrecorded.exit_status)
    if prometheus is not None:
        try:
            write_metrics(prometheus, watching.history)
        except SSLAuthError as error:
            complain(f"error: {error}")
            statuses.append(error.exit_status)
    try:
        streams.result(_said(entry, streams.format))
    except OutputError as error:
        if worst(statuses) == ExitStatus.DONE:
            raise
        complain(f"error: {error}")
        abandon_output()
    return worst(statuses)


def _said(entry: "Entry", chosen: str) -> str:
    if chosen == Format.QUIET:
        return entry.outcome
    if chosen == Format.JSON:
        return strict_json({"schema": 1, **entry.to_dict()}, one_line=True)
    from hf_integration.watching.reports import one_line

    return one_line(entry)


def _explained(error: BaseException) -> tuple[str, int]:
    """What an error says in one line, without tokens, and its status."""
    if isinstance(error, SSLAuthError):
        return without_tokens(str(error)), error.exit_status
    return without_tokens(f"internal error: {type(error).__name__}: {error}"), ExitStatus.INTERNAL
