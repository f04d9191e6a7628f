"""``sslauth inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from hf_integration.cli import options
from hf_integration.cli.inputs import pinned_inputs
from hf_integration.cli.job import Job
from hf_integration.cli.minting import show_card
from hf_integration.cli.naming import named_pin
from hf_integration.cli.opening import open_card, use_hub
from hf_integration.cli.streams import Streams
from hf_integration.errors import UsageError

EPILOG = """\b
Examples:
  sslauth inspect cards/NAME
  sslauth inspect ORG/NAME --format json
  sslauth inspect NAME

A card says what its maker claims; only 'verify' holds it against an encoder.

JSON: as of 'sslauth mint'. Quiet: the card's digest."""


def inspect(
    card: Annotated[
        str,
        typer.Argument(
            metavar="CARD", help="A name in sslauth.toml, a card's folder, or a Hub repository id."
        ),
    ],
    *,
    revision: options.RevisionOption = None,
    format: options.FormatOption = None,
    output: options.OutputOption = None,
    quiet: options.QuietOption = False,
    token: options.TokenOption = None,
    cache_dir: options.CacheOption = None,
) -> Job:
    """Validate a watermark card and show its facts."""

    def job() -> int:
        streams = Streams.chosen(format, output, quiet)
        if not card:
            raise UsageError(
                "no card given", remedy="name a folder or a Hub repository; is a variable unset?"
            )
        use_hub(token, cache_dir)
        pin = named_pin(card, streams)
        streams.keep_apart(*pinned_inputs(pin))
        if pin is not None:
            from hf_integration.pins.opening import load_pinned_card, revision_of

            at = revision_of(pin, revision)
            found = load_pinned_card(pin, revision=at, token=token, say=streams.say).card
        else:
            reference = Path(card) if card.startswith((".", "/", "~")) else card
            found = open_card(reference, streams, revision=revision)
        streams.keep_apart(Path(found.location))
        show_card(found, streams)
        return 0

    return job
