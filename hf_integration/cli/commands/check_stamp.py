"""``sslauth check-stamp``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli import options
from hf_integration.cli.options import HubOptions, job, understood
from hf_integration.cli.server_options import asks_server, check_either
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from hf_integration.endpoints import Address
    from hf_integration.stamps.likeness import Likeness

EPILOG = """\b
Examples:
  sslauth check-stamp stamp.json NAME
  sslauth check-stamp stamp.json --endpoint http://localhost:8080 --api tei
  sslauth check-stamp stamp.json --endpoint http://localhost:8080 --api tei --accept 0.01

Ends with 0 if the texts of the stamp are embedded as the stamp says, within what float32 runtimes differ by;
with 3 if it is another recipe of the same encoder, which is named where it can be, or a near encoder; with 1
if it is another space. --accept takes embeddings for the same that are up to so far from the stamp's, as
directions: 0.01 accepts half precision and three decimals of most encoders.

An endpoint needs no torch. In Python, hf_integration.check_stamp asks any function that embeds texts.

\b
JSON: {"schema": 1, "status": "same", "recipe", "near" or "other", "reason", "advice", "differences",
"distance", "cosine", "tolerated", "answered", "encoder"}
Quiet: the status."""


@job()
@asks_server("Ask the server there.")
def check_stamp(
    streams: Streams,
    hub: HubOptions,
    stamp: Annotated[Path, typer.Argument(metavar="STAMP", help="The file of a stamp.")],
    encoder: Annotated[
        str | None, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP, show_default=False)
    ] = None,
    *,
    revision: options.RevisionOption = None,
    server: "Address | None",
    accept: Annotated[
        float,
        typer.Option("--accept", metavar="DISTANCE", help="Take embeddings up to so far apart for the same."),
    ] = 0.0,
    device: options.DeviceOption = None,
) -> int:
    """Tell whether queries are embedded as the index of a stamp was."""
    from hf_integration.endpoints import Endpoint
    from hf_integration.stamps.checking import check_stamp as check
    from hf_integration.stamps.stamp import Stamp

    streams.keep_apart(stamp)
    check_either("check", encoder, server, revision=revision, device=device)
    kept = Stamp.load(stamp)  # what cannot be read is said before anything is loaded or asked
    if server is not None:
        with Endpoint(server, say=streams.say) as asked:
            found = check(kept, asked, accept=accept)
    else:
        found = check(kept, _loaded(streams, hub, encoder or "", revision, device), accept=accept)
    return streams.conclude(_rendered(found, streams.format), found.exit_status)


def _loaded(
    streams: Streams, hub: HubOptions, encoder: str, revision: str | None, device: str | None
) -> "Encoder":
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.subject import load_encoder_at

    place = understood(Project().encoder(Asked(encoder=encoder, revision=revision)), streams)
    loaded = load_encoder_at(place, hub.access(streams, device), revision=revision)
    if loaded.path is not None:
        streams.keep_apart(loaded.path)
    if loaded.modality != "text":
        raise UsageError(f"'{loaded.name}' takes {loaded.modality}, and stamps are of texts")
    return loaded


def _rendered(found: "Likeness", format: str) -> str:
    if format == Format.JSON:
        return strict_json(found.to_dict())
    if format == Format.QUIET:
        return found.status
    return "\n".join(harmless(line, longest=1000) for line in str(found).split("\n"))
