"""``sslauth check-baseline``."""

from pathlib import Path
from typing import Annotated

import typer

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli.asking import (
    ApiKeyOption,
    ApiModelOption,
    ApiOption,
    DimensionsOption,
    server_of,
)
from hf_integration.cli.commands.baseline import SpreadOption, seconds
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

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
def check_baseline(
    streams: Streams,
    _hub: HubOptions,  # nothing is asked from the Hub
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE", help="The file of a baseline.")],
    *,
    endpoint: Annotated[str, typer.Option("--endpoint", metavar="URL", help="The server to ask.")],
    api: ApiOption = None,
    api_model: ApiModelOption = None,
    api_key_env: ApiKeyOption = None,
    dimensions: DimensionsOption = None,
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
    address = server_of(endpoint, api, api_model, api_key_env, dimensions)
    assert address is not None  # noqa: S101  # there is a URL
    known = Baseline.load(baseline)
    if (address.url, address.model) != (known.url, known.model):
        streams.say(f"the baseline is of {harmless(known.url)}, model {harmless(known.model or 'not named')}")
    with streams.progress() as progress:
        answers = ask(
            lambda: Endpoint(address, say=streams.say),
            known.texts,
            rounds=rounds,
            spread=seconds(spread),
            progress=progress,
        )
    change = compare(known, answers, url=address.url)
    if streams.format == Format.JSON:
        text = strict_json(change.to_dict())
    elif streams.format == Format.QUIET:
        text = change.status
    else:
        text = "\n".join(harmless(line, longest=1000) for line in str(change).split("\n"))
    return streams.conclude(text, change.exit_status)
