"""``sslauth stress``."""

from pathlib import Path
from typing import Annotated

import typer

from hf_integration.cli import options
from hf_integration.cli.hub_options import HubOptions
from hf_integration.cli.inputs import pinned_inputs
from hf_integration.cli.job import job
from hf_integration.cli.naming import named_pin
from hf_integration.cli.opening import open_card, open_encoder
from hf_integration.cli.streams import Format, Streams
from hf_integration.cli.subjects import open_pin
from hf_integration.errors import UsageError

EPILOG = """\b
Examples:
  sslauth stress ./my-encoder --card cards/my-encoder
  sslauth stress ORG/NAME --card cards/NAME --seeds 5 --format json --output stress.json

Alters copies of the encoder in every known way and says what gave each away, and which is the smallest size
the watermark sees with digests left aside. Then it runs every known benign change. It takes minutes on two
cores. Ends with 0 when all was tried, whatever came of it, and with 3 if the encoder itself is not authentic.

\b
JSON: {"schema": 1, "encoder", "card", "precision", "seeds", "seconds",
"alterations": [{"name", "status", "evidence": [...], "floor", "strip", "unit", "smallest", "nothing",
"detected"}],
"benign": [{"name", "precision", "margin", "note", "idle", "false_alarm"}]}
What is null was not tried, and "nothing" or "note" says why. A margin of 1000000 is that or more; a benign
run that is idle changed nothing here, and is not counted.
Quiet: the numbers of missed alterations and of false alarms."""


@job
def stress(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[str, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP)],
    *,
    card: Annotated[
        str | None,
        typer.Option(
            "--card", metavar="DIR|REPO", help="The card to put to the test; by default the pinned one."
        ),
    ] = None,
    revision: options.RevisionOption = None,
    precision: Annotated[
        options.PrecisionName | None,
        typer.Option("--precision", help="Arithmetic of the checks; by default the strictest possible."),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, help="Draws of every alteration of weights.")
    ] = 1,
    device: options.DeviceOption = None,
) -> int:
    """Hold a card against every known alteration.

    Every known benign change is run as well.
    """
    pin = named_pin(encoder, streams)
    card_pin = named_pin(card, streams) if card else None
    streams.keep_apart(*pinned_inputs(pin, card_pin))
    if pin is not None:
        opened = open_pin(pin, streams, hub, card=card, card_pin=card_pin, revision=revision, device=device)
        loaded, held = opened.encoder, opened.card
    elif not card:
        raise UsageError(f"no card given for {encoder!r}", remedy="name one with --card")
    else:
        if card_pin is not None:
            from hf_integration.pins.opening import load_pinned_card

            held = load_pinned_card(card_pin, token=hub.token, say=streams.say).card
        else:
            held = open_card(card, streams)
        loaded = open_encoder(encoder, streams, revision=revision, device=device, hub=hub, card=held)
    streams.keep_apart(Path(held.location), *([loaded.path] if loaded.path else []))
    from hf_integration.cli.stress_report import render_stress
    from hf_integration.report.json_format import strict_json
    from hf_integration.stress import stress as run_stress

    with streams.progress() as progress:
        report = run_stress(
            loaded,
            held,
            precision=precision.value if precision else None,
            seeds=seeds,
            progress=progress,
        )
    if streams.format is Format.JSON:
        streams.result(strict_json(report.to_dict()))
    elif streams.format is Format.QUIET:
        streams.result(f"{len(report.missed)} missed, {len(report.false_alarms)} false alarms")
    else:
        streams.result(render_stress(report))
    return 0
