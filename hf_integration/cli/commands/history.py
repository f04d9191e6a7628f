"""``sslauth history``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hf_integration.base.errors import InconclusiveError
from hf_integration.base.output_files import check_apart, check_file
from hf_integration.base.text import quoted
from hf_integration.cli.options import HubOptions, job, span
from hf_integration.cli.streams import Format, Streams

EPILOG = """\b
Examples:
  sslauth history checks.db
  sslauth history checks.db --encoder NAME --since 30d --plot margin.svg
  sslauth history checks.db --max-age 3h --format prometheus

Shows how everybody stands whom 'sslauth watch' checked: margin over time, the moment it broke, and what
changed: status, recipe, trust, card, revision.

The exit status is that of the newest check of each encoder and endpoint, and the worst of these. A check that
is older than --max-age is no pass: it counts as inconclusive. So does a history without any check. --since
changes what is shown, and not the status.

\b
JSON: {"schema": 1, "file", "now", "max_age": seconds, "exit_status", "subjects": [{"encoder", "endpoint",
"model", "status", "exit_status", "stale": string or null, "age": seconds, "last_check", "last_authentic",
"broke": {"at", "reason"} or null, "counts", "changes": [{"at", "what", "before", "after"}],
"checks": [as 'sslauth watch' gives them]}]}
Quiet: the newest outcome; of several encoders or endpoints, a line each."""

PROMETHEUS = "prometheus"


@job((*Format, PROMETHEUS))
def history(
    streams: Streams,
    hub: HubOptions,  # noqa: ARG001  # every command has them
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'sslauth watch --history' wrote.")],
    *,
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="NAME", help="Only checks of this encoder.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="Only checks of this endpoint.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="SPAN", help="Show only the last 12h, 30d or 8w.")
    ] = None,
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="SPAN", help="How old the newest check may be.")
    ] = "2d",
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="SVG|PNG", help="Draw margin over time into this file as well."),
    ] = None,
) -> int:
    """Show what 'watch' recorded: margin over time, what changed, and when it broke."""
    from hf_integration.checking.pins import PINS_FILE
    from hf_integration.watching import reports
    from hf_integration.watching.entry import worst
    from hf_integration.watching.history import History
    from hf_integration.watching.standing import standings

    oldest, shown = span("--max-age", max_age), None if since is None else span("--since", since)
    streams.keep_apart(file)
    if plot is not None:
        from hf_integration.watching.plot import check_suffix

        check_suffix(plot)
        check_file(plot)
        check_apart(plot, file, Path(PINS_FILE))
        streams.keep_apart(plot)
    entries = History(file).entries()
    now = datetime.now(UTC)
    known = standings(entries, now=now, max_age=oldest)
    found = [
        one
        for one in known
        if encoder in (None, one.subject.encoder) and endpoint in (None, one.subject.endpoint)
    ]
    if not found:
        names = "; ".join(str(one.subject) for one in known)
        whom = quoted(" ".join(name for name in (encoder, endpoint) if name)) or "anything"
        raise InconclusiveError(
            f"{file} holds no check of {whom}",
            remedy=f"it holds checks of {quoted(names)}" if names else "`sslauth watch` records them",
        )
    begin = None if shown is None else now - shown
    if streams.format == Format.JSON:
        said = reports.in_json(found, file=file, since=begin, now=now, max_age=oldest)
    elif streams.format == Format.QUIET:
        said = reports.in_a_word(found)
    elif streams.format == PROMETHEUS:
        from hf_integration.watching.prometheus import metrics

        said = metrics(found)
    else:
        said = reports.in_words(found, since=begin)
    streams.result(said)
    if plot is not None:
        from hf_integration.watching.plot import write_plot

        write_plot(plot, found, since=begin)
        streams.say(f"plot: {plot}")
    return worst([one.exit_status for one in found])
