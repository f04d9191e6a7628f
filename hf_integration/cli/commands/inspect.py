"""``sslauth inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.cli import options
from hf_integration.cli.commands.mint import show_card
from hf_integration.cli.options import HubOptions, job, understood
from hf_integration.cli.streams import Streams

EPILOG = """\b
Examples:
  sslauth inspect cards/NAME
  sslauth inspect ORG/NAME --format json
  sslauth inspect NAME

A card says what its maker claims; only 'verify' checks an encoder against it.

JSON: like 'sslauth mint'. Quiet: the card's digest."""


@job()
def inspect(
    streams: Streams,
    hub: HubOptions,
    card: Annotated[
        str,
        typer.Argument(
            metavar="CARD", help="A name in sslauth.toml, a card's folder, or a Hub repository id."
        ),
    ],
    *,
    revision: options.RevisionOption = None,
) -> int:
    """Validate a watermark card and show its facts."""
    if not card:
        raise UsageError("no card given", remedy="name a folder or a Hub repository; is a variable unset?")
    from hf_integration.checking.finding import Project
    from hf_integration.checking.held_card import hold_named

    place = understood(Project().card(card), streams)
    found = hold_named(place, hub.access(streams), revision=revision).card
    streams.keep_apart(Path(found.location))
    show_card(found, streams)
    return 0
