"""``sslauth mint``."""

import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import PRECISIONS, Precision
from hf_integration.cli import options
from hf_integration.cli.options import HubOptions, given_file, job, understood
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard


EPILOG = """\b
Examples:
  sslauth mint ORG/NAME --revision COMMIT --out cards/NAME
  sslauth mint ./my-encoder --out cards/my-encoder --pool ./some-of-our-texts
  sslauth mint ORG/NAME --out cards/NAME --keys full
  sslauth mint ORG/NAME --out private/NAME --secret --recipe tei --recipe ollama
  sslauth mint ORG/NAME --out cards/NAME --recipe float16 --recipe ort-int8-dynamic

Mint only from a copy you trust: the card describes whatever encoder it is given.

\b
JSON: {"schema": 1, "digest", "location", "bytes", "encoder": {...}, "created", "expires", "secret",
"watermark", "key_samples": {"count", "modality", "origin"}, "tolerance", "strips": [...],
"references": [{"weights", "precision", "benign_margin", "key_samples"}], "coverage", "floor",
"served": [{"names", "recipe", "dimensions", "noise", "floor"}], "conversions": {"texts", "forms",
"recipes": [{"name", "rules", "dimensions"}]} or null,
"source": {"repo", "commit", "files", "weights", "tool"} or null, "libraries", "files": [...], "outside",
"not_covered": [...]}
Quiet: the card's digest."""


MOST_KEYS = 1024


def checked_keys(value: str) -> str:
    """Refuse a number of key samples that is none.

    Raises:
        typer.BadParameter: it is.
    """
    if value != "full" and not (value.isascii() and value.isdecimal() and 1 <= int(value) <= MOST_KEYS):
        raise typer.BadParameter(f"{value!r} is neither 'full' nor a number from 1 to {MOST_KEYS}")
    return value


@job()
def mint(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[str, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP)],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the card.")],
    revision: options.RevisionOption = None,
    keys: Annotated[
        str,
        typer.Option(
            "--keys",
            metavar="N|full",
            callback=checked_keys,
            help="Number of key samples; 'full' for as many as it takes to cover all that can be.",
        ),
    ] = "64",
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool",
            metavar="SOURCE",
            help="Draw key samples from a folder, a file or a data set (extra 'pool'); by default they "
            "are synthetic.",
        ),
    ] = None,
    watermark: Annotated[
        str | None,
        typer.Option(
            "--watermark",
            metavar="PNG|samples",
            help="Picture for the watermark, instead of a padlock; 'samples' for the key samples themselves, "
            "of image encoders.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="Everything random follows from it.  [default: 0; secret: random]",
            show_default=False,
        ),
    ] = None,
    secret: Annotated[bool, typer.Option("--secret", help="A private card, never to be published.")] = False,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="DATE",
            help="The last day (UTC) on which the card is good, such as 2030-01-31.",
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            metavar="RECIPE",
            help="Also hold what deployments of this recipe answer, such as tei or ort-int8-dynamic; may be "
            "repeated.",
        ),
    ] = None,
    precisions: Annotated[
        str | None,
        typer.Option(
            "--precisions",
            metavar="LIST",
            help="Hold references for these only, such as float64,float32,bfloat16; each half precision "
            "takes time.  [default: all four]",
            show_default=False,
        ),
    ] = None,
    ignore_remote_code: Annotated[
        bool,
        typer.Option(
            "--ignore-remote-code",
            help="Mint although the repository names code of its own, which is never run.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a card that is in DIR already.")] = False,
    modality: options.ModalityOption = None,
    pooling: options.PoolingOption = None,
    device: options.DeviceOption = None,
) -> int:
    """Make a watermark card from an encoder you trust."""
    from hf_integration.base.vocabulary import SIGNATURE_FILE
    from hf_integration.card import check_writable, save_card

    last_day = _last_day(expires)
    check_writable(out, force=force)
    if recipe:
        from hf_integration.converted.file_recipes import sorted_out

        sorted_out(recipe)  # as a name that is none is known before the minutes of minting
    chosen = PRECISIONS if precisions is None else _chosen(precisions)
    picture = Path(watermark) if watermark is not None and watermark != "samples" else None
    streams.keep_apart(out, *given_file(picture), *given_file(pool))
    if picture is not None:
        from hf_integration.card.picture import read_picture

        read_picture(picture)  # what cannot be read is known before the minutes of minting
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.subject import load_encoder_at

    # only the entry of exactly this name: what is not pinned must be within reach as well
    place = understood(Project().encoder(Asked(encoder=encoder, revision=revision, pins="by name")), streams)
    loaded = load_encoder_at(
        replace(place, name=place.reference),  # a card is of a repository or folder, not of an entry here
        hub.access(streams, device),
        revision=revision,
        modality=modality.value if modality else None,
        pooling=pooling.value if pooling else None,
    )
    if loaded.path is not None:
        streams.keep_apart(loaded.path)
    from hf_integration.minting import mint as mint_card

    with streams.progress() as progress:
        card = mint_card(
            loaded,
            keys="full" if keys == "full" else int(keys),
            pool=pool,
            seed=seed,
            watermark="samples" if watermark == "samples" else picture,
            secret=secret,
            expires=last_day,
            recipes=recipe or (),
            precisions=chosen,
            ignore_remote_code=ignore_remote_code,
            progress=progress,
        )
    signed = force and (out / SIGNATURE_FILE).exists()
    show_card(save_card(card, out, force=force), streams)
    if secret or place.pin is None:
        at = () if revision is None else ("--revision", revision)
        check = shlex.join(["sslauth", "verify", encoder, *at, "--card", str(out)])
        keep = f"keep {out} out of version control and out of images" if secret else f"commit {out}"
        streams.say(f"next: {keep}; check with: {check}")
    if secret and seed is not None:
        streams.say("its seed was given: whoever knows or guesses it knows the card; leave --seed out")
    if signed:
        streams.say("the signature of the card that was replaced is gone: sign this one with 'sslauth sign'")
    return 0


def show_card(card: "WatermarkCard", streams: Streams) -> None:
    """Write what a card says about itself, in the chosen format."""
    from hf_integration.report.card_summary import card_summary, render_card

    if streams.format == Format.JSON:
        streams.result(strict_json(card_summary(card)))
    elif streams.format == Format.QUIET:
        streams.result(harmless(card.digest))
    else:
        streams.result(render_card(card))


def _chosen(text: str) -> tuple[Precision, ...]:
    """The precisions that ``--precisions`` names, before minting takes its minutes."""
    from hf_integration.minting.references import pairs_for

    named = [name.strip() for name in text.split(",")]
    pairs_for("float32", named)
    return tuple(precision for precision in PRECISIONS if precision in named)


def _last_day(text: str | None) -> date | None:
    """The date that ``--expires`` names, before minting takes its minutes.

    Raises:
        UsageError: it is no date, or over.
    """
    if text is None:
        return None
    from hf_integration.base.vocabulary import read_date, today

    try:
        day = read_date(text)
    except ValueError as error:
        raise UsageError(f"--expires {text!r}: {error}") from None
    if day < today():
        raise UsageError(f"--expires {text}: that day is over", remedy="choose a day to come")
    return day
