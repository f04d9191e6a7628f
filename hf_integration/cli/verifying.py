"""``sslauth verify``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.cli import options
from hf_integration.cli.inputs import pinned_inputs, signer_inputs
from hf_integration.cli.job import Job
from hf_integration.cli.model_card import is_repo, open_published, same_repo
from hf_integration.cli.naming import find_pin, named_pin
from hf_integration.cli.opening import (
    card_folder,
    chosen_signer,
    open_card,
    open_encoder,
    own_card,
    use_hub,
    whence,
)
from hf_integration.cli.streams import Format, Streams, abandon_output, complain
from hf_integration.errors import OutputError, UsageError
from hf_integration.report import HumanReporter, JsonReporter, QuietReporter, Reporter
from hf_integration.report.output_files import check_apart, check_file

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.hub import PublishedCard
    from hf_integration.pins import Waiver
    from hf_integration.verdict import Trust

EPILOG = """\b
Examples:
  sslauth verify NAME
  sslauth verify ./my-encoder --card cards/my-encoder
  sslauth verify ORG/NAME --revision COMMIT --picture check.png
  sslauth verify ORG/NAME --signer keys/publisher.pub
  sslauth verify ORG/NAME --precision bfloat16 --format json

A NAME stands in sslauth.toml, and is checked as it is pinned there: commit, card and signer. An ORG/NAME that
is pinned there is checked in the same way.

Without --card, the card in cards/NAME is used if there is one, else the one that the repository's model card
advertises, with every claim about it checked, else the one that lies with the encoder. Of these only the
first is worth something against whoever altered both: the others end with 3, unless --trust-self-asserted is
given or somebody whom you name with --signer signed the card. An advertised card that is missing, expired,
revoked, older than the weights or of another repository never passes.

A result that could not be written (a closed pipe, a full disk) never ends with 0: an altered encoder still
ends with 1 and an open question with 3, everything else with 2.

\b
JSON: {"schema": 1, "status", "reason", "trust", "encoder", "revision", "card": {"digest", "location"},
"precision", "margin": number or null, "strips": [{"name", "error", "tolerance", "intact",
"deviation"}], "tensors": {"checked", "changed", "missing", "unexpected", "matches"},
"files": {"checked", "changed"}, "coverage", "floor", "diagnosis", "seconds", "environment", "state",
"waiver": {"reason", "until"} or null, "claims": [{"about", "holds", "says"}]}
Quiet: authentic, altered or inconclusive; behind it, in brackets, how many key samples a budget allowed. Of a
waived alteration until when and why."""


def verify(
    encoder: Annotated[
        str | None, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP, show_default=False)
    ] = None,
    *,
    card: Annotated[
        str | None, typer.Option("--card", metavar="DIR|REPO", help="The card to check with.")
    ] = None,
    revision: options.RevisionOption = None,
    signer: options.SignerOption = None,
    precision: Annotated[
        options.PrecisionName | None,
        typer.Option(
            "--precision", help="Arithmetic of the check; by default the strictest that is possible."
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="SECONDS",
            min=0,
            help="Run no further key samples then; 8 are always run, or 1 of a card that has no more.",
        ),
    ] = None,
    device: options.DeviceOption = None,
    trust_self_asserted: options.SelfAssertedOption = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="PNG", help="Write expected and reconstructed watermark side by side."
        ),
    ] = None,
    format: options.FormatOption = None,
    output: options.OutputOption = None,
    quiet: options.QuietOption = False,
    token: options.TokenOption = None,
    cache_dir: options.CacheOption = None,
) -> Job:
    """Check an encoder against a watermark card."""

    def job() -> int:
        streams = Streams.chosen(format, output, quiet)
        if picture is not None:
            check_file(picture)
        if encoder is None:
            raise UsageError("no encoder given", remedy="name a local folder or a Hub repository")
        use_hub(token, cache_dir)
        by = chosen_signer(signer)

        def load() -> "Encoder":
            return open_encoder(
                encoder, streams, revision=revision, device=device, token=token, cache_dir=cache_dir
            )

        if card == "":
            raise UsageError(
                "--card is empty", remedy="name a folder or a Hub repository; is a variable unset?"
            )
        trust: Trust | None = "signed" if by else None
        waivers: tuple[Waiver, ...] = ()
        pin = find_pin(encoder, streams)
        # the repository itself, named as the place of the card: that is no other card, and no better one
        own = card is not None and same_repo(card, encoder)
        card_pin = named_pin(card, streams) if card else None
        inputs = [*pinned_inputs(pin, card_pin), *signer_inputs(by)]
        streams.keep_apart(*inputs)
        if picture is not None:
            from hf_integration.pins import PINS_FILE

            check_apart(picture, Path(PINS_FILE), *inputs)
            streams.keep_apart(picture)
        named = None if pin or own else card or card_folder(encoder)
        published: PublishedCard | None = None
        if pin is not None:
            from hf_integration.pins.opening import open_pinned

            opened = open_pinned(
                pin,
                revision=revision,
                card=None if card_pin else card,
                card_pin=card_pin,
                signer=by,
                device=device,
                token=token,
                cache_dir=cache_dir,
                say=streams.say,
            )
            loaded, held, trust, waivers = opened.encoder, opened.card, opened.trust, pin.waivers
            if trust != "pinned" and pin.repo is not None and loaded.commit is not None:
                from hf_integration.hub import published_if_own

                published = published_if_own(held, pin.repo, loaded.commit, token=token, cache_dir=cache_dir)
            streams.say(f"encoder: {whence(loaded)}")
            loaded.name = encoder
        elif card_pin is not None:
            from hf_integration.pins.opening import load_pinned_card

            pinned = load_pinned_card(card_pin, signer=by, token=token, say=streams.say)
            held, trust = pinned.card, pinned.trust
            loaded = load()
            if trust != "pinned" and loaded.commit is not None:
                from hf_integration.hub import published_if_own

                published = published_if_own(held, encoder, loaded.commit, token=token, cache_dir=cache_dir)
        elif named is not None:  # first, so that a damaged card is known before an encoder takes its seconds
            held = open_card(named, streams, signer=by)
            loaded = load()
        elif is_repo(encoder):
            loaded, published = open_published(
                encoder,
                streams,
                revision=revision,
                signer=by,
                device=device,
                token=token,
                cache_dir=cache_dir,
            )
            held = published.card
        else:
            loaded = load()
            held = own_card(loaded, streams, signer=by)
        read = [Path(held.location), *([loaded.path] if loaded.path else [])]
        streams.keep_apart(*read)
        if picture is not None:
            check_apart(picture, *read)
        return _check(
            loaded,
            held,
            trust=trust,
            waivers=waivers,
            precision=precision,
            budget=budget,
            trust_self_asserted=trust_self_asserted,
            picture=picture,
            streams=streams,
            published=published,
        )

    return job


def _check(
    encoder: "Encoder",
    card: "WatermarkCard",
    *,
    trust: "Trust | None",
    waivers: "Sequence[Waiver]",
    precision: options.PrecisionName | None,
    budget: float | None,
    trust_self_asserted: bool,
    picture: Path | None,
    streams: Streams,
    published: "PublishedCard | None" = None,
) -> int:
    """Authenticate, write the picture and the report, and give the exit status."""
    from hf_integration.authentication import Authenticator

    authenticator = Authenticator(
        card=card,
        precision=precision.value if precision else None,
        trust=trust,
        accept_self_asserted=trust_self_asserted,
        budget=budget,
    )
    with streams.progress() as progress:
        authentication = authenticator.authenticate(encoder, progress=progress)
    from hf_integration.pins.waiving import today_in_utc, waived

    verdict = authentication.verdict
    if published is not None:
        from hf_integration.hub import with_claims

        verdict = with_claims(verdict, published, encoder)
    verdict = waived(verdict, waivers, today=today_in_utc(), expires=card.expires)
    if verdict is not authentication.verdict:
        authentication = replace(authentication, verdict=verdict)
    try:
        streams.result(reporter(streams).render(verdict))
        if picture is not None:
            from hf_integration.report.pictures import write_picture

            write_picture(picture, authentication, card)
            streams.say(f"picture: {picture}")
    except OutputError as error:
        if verdict.accepted:
            raise
        # the finding stands, whether or not anybody could read the report
        complain(f"error: {error}")
        abandon_output()
    return verdict.exit_status


def reporter(streams: Streams) -> Reporter:
    """The reporter of the chosen format."""
    if streams.format is Format.JSON:
        return JsonReporter()
    return QuietReporter() if streams.format is Format.QUIET else HumanReporter(color=streams.color)
