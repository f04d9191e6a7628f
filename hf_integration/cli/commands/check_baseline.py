"""``sslauth check-baseline``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli.commands.baseline import SpreadOption, seconds
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.server_options import asks_server
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.endpoints import Address

EPILOG = """\b
Examples:
  sslauth check-baseline baseline.json --endpoint http://localhost:8080 --api tei
  sslauth check-baseline baseline.json --endpoint http://localhost:8080 --api tei --rounds 4 --spread 10m

Ends with 0 if the endpoint has not changed since the baseline, as far as can be told, with 1 if it has, and
with 3 if it did not answer. Unchanged is not authentic: nobody knows whose encoder it was when the baseline
was made. An endpoint that did not change is said to have changed in one of 1,000 checks at most, however
noisy it is, if its answers to different requests vary independently of each other.

\b
JSON: {"schema": 1, "status": "unchanged" or "changed", "reason", "since", "p_value", "false_alarms",
"requests", "strays", "unnoticed", "typical": number or null, "noise", "differences", "url"}
Quiet: the status."""


@job()
@asks_server("The server to ask.", needed=True)
def check_baseline(
    streams: Streams,
    _hub: HubOptions,  # nothing is asked from the Hub
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE", help="The file of a baseline.")],
    *,
    server: "Address",
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", min=1, max=64, help="Times that each text is asked alone, and among others."
        ),
    ] = 2,
    spread: SpreadOption = None,
) -> int:
    """Tell whether an endpoint has changed since its baseline was recorded."""
    from hf_integration.baselines.asking import ask
    from hf_integration.baselines.baseline import Baseline
    from hf_integration.baselines.comparison import compare
    from hf_integration.endpoints import Endpoint

    streams.keep_apart(baseline)
    known = Baseline.load(baseline)
    if (server.url, server.model) != (known.url, known.model):
        streams.say(f"the baseline is of {harmless(known.url)}, model {harmless(known.model or 'not named')}")
    with streams.progress() as progress:
        answers = ask(
            lambda: Endpoint(server, say=streams.say),
            known.texts,
            rounds=rounds,
            spread=seconds(spread),
            progress=progress,
        )
    change = compare(known, answers, url=server.url)
    if streams.format == Format.JSON:
        text = strict_json(change.to_dict())
    elif streams.format == Format.QUIET:
        text = change.status
    else:
        text = "\n".join(harmless(line, longest=1000) for line in str(change).split("\n"))
    return streams.conclude(text, change.exit_status)
