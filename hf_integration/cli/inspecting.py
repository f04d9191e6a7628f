"""``sslauth inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from hf_integration.cli import options
from hf_integration.cli.hub_options import HubOptions
from hf_integration.cli.inputs import pinned_inputs
from hf_integration.cli.job import job
from hf_integration.cli.minting import show_card
from hf_integration.cli.naming import named_pin
from hf_integration.cli.opening import open_card
from hf_integration.cli.streams import Streams
from hf_integration.errors import UsageError

EPILOG = """\b
Examples:
  sslauth inspect cards/NAME
  sslauth inspect ORG/NAME --format json
  sslauth inspect NAME

A card says what its maker claims; only 'verify' holds it against an encoder.

JSON: like 'sslauth mint'. Quiet: the card's digest."""


@job
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
    pin = named_pin(card, streams)
    streams.keep_apart(*pinned_inputs(pin))
    if pin is not None:
        from hf_integration.pins.opening import load_pinned_card, revision_of

        at = revision_of(pin, revision)
        found = load_pinned_card(pin, revision=at, token=hub.token, say=streams.say).card
    else:
        reference = Path(card) if card.startswith((".", "/", "~")) else card
        found = open_card(reference, streams, revision=revision)
    streams.keep_apart(Path(found.location))
    show_card(found, streams)
    return 0
