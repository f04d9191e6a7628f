"""``sslauth bundle``."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.cli import options
from hf_integration.cli.hub_options import HubOptions
from hf_integration.cli.inputs import given_file, pinned_inputs, signer_inputs
from hf_integration.cli.job import job
from hf_integration.cli.naming import find_pin
from hf_integration.cli.opening import card_folder, chosen_signer
from hf_integration.cli.streams import Format, Streams
from hf_integration.cli.verifying import reporter
from hf_integration.errors import UsageError
from hf_integration.report.escaping import harmless
from hf_integration.report.json_format import strict_json

if TYPE_CHECKING:
    from hf_integration.bundle import Bundled, BundleRequest
    from hf_integration.pins import Pin
    from hf_integration.signing import Signer

EPILOG = """\b
Examples:
  sslauth bundle ORG/NAME --revision COMMIT --card cards/NAME --out NAME-bundle
  sslauth bundle ORG/NAME --signer keys/publisher.pub --out NAME-bundle
  cd NAME-bundle && sslauth verify NAME

A bundle holds the encoder (safetensors and settings, no code), its card, the signer's key and an sslauth.toml
that pins the card. A NAME in the sslauth.toml here is bundled the way it is pinned.

Only an encoder that is authentic here is bundled. Otherwise the report says why, nothing is written, and the
status is the verdict's.

\b
JSON: {"schema": 1, "bundle", "name", "card": {"digest"}, "files": [...], "bytes", "trust"}; an encoder that
was not bundled gives its verdict, like 'sslauth verify'.
Quiet: the card's digest, or the verdict's word."""


@job
def bundle(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[str, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP)],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the bundle, a new one.")],
    card: Annotated[
        str | None, typer.Option("--card", metavar="DIR|REPO", help="The card to bundle and check with.")
    ] = None,
    revision: options.RevisionOption = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="N", help="Name of the encoder in the bundle.", show_default=False),
    ] = None,
    signer: options.SignerOption = None,
    device: options.DeviceOption = None,
    trust_self_asserted: options.SelfAssertedOption = False,
) -> int:
    """Put an encoder and its card into one folder.

    It verifies without a network.
    """
    for given, called in ((encoder, "ENCODER"), (card, "--card"), (str(out), "--out")):
        if given == "":
            raise UsageError(f"{called} is empty", remedy="is a variable unset?")
    streams.keep_apart(Path(encoder))
    by = chosen_signer(signer)
    pin = find_pin(encoder, streams)
    streams.keep_apart(*given_file(card), *pinned_inputs(pin), *signer_inputs(by))
    from hf_integration.bundle import BundleRequest, make_bundle

    if pin is not None:
        from hf_integration.pins.upstream import commit_on_the_hub

        request = _pinned(pin, out, revision=revision, signer=by, say=streams.say)
        request = replace(request, name=name or pin.name, card=card or request.card)
        explained: AbstractContextManager[None] = commit_on_the_hub(pin, token=hub.token)
    else:
        request = BundleRequest(
            encoder=encoder,
            out=out,
            name=name,
            revision=revision,
            card=card or card_folder(encoder),
            signer=by,
        )
        explained = nullcontext()
    request = replace(request, accept_self_asserted=trust_self_asserted)
    with streams.progress() as progress, explained:
        bundled = make_bundle(
            request,
            device=device,
            token=hub.token,
            cache_dir=hub.cache_dir,
            say=streams.say,
            progress=progress,
        )
    if not bundled.files:
        streams.result(reporter(streams).render(bundled.verdict))
        return bundled.verdict.exit_status
    streams.result(_rendered(bundled, out, streams.format))
    return 0


def _pinned(
    pin: "Pin", out: Path, *, revision: str | None, signer: "Signer | None", say: Callable[[str], None]
) -> "BundleRequest":
    """What is pinned, as something to bundle."""
    from hf_integration.bundle import BundleRequest
    from hf_integration.pins.opening import card_source, lock_hint, refuse_shadow, revision_of
    from hf_integration.signing import signer_from

    if hint := lock_hint(pin):
        say(hint)
    pinned_signer = None if pin.signer_reference is None else signer_from(pin.signer_reference)
    if pinned_signer is not None and signer not in (None, pinned_signer):
        raise UsageError(
            f"--signer contradicts {pin.file.name}, where '{pin.name}' is signed by {pinned_signer}",
            remedy="leave --signer out",
        )
    refuse_shadow(pin, pin.repo)
    at = revision_of(pin, revision)
    return BundleRequest(
        encoder=pin.reference,
        out=out,
        revision=at,
        card=None if pin.has_own_card else card_source(pin, at)[0],
        card_digest=pin.card_digest,
        signer=signer or pinned_signer,
    )


def _rendered(bundled: "Bundled", out: Path, format: Format) -> str:
    digest = bundled.verdict.card.digest
    if format is Format.JSON:
        return strict_json(
            {
                "schema": 1,
                "bundle": str(out),
                "name": bundled.name,
                "card": {"digest": digest},
                "files": list(bundled.files),
                "bytes": bundled.bytes,
                "trust": bundled.verdict.trust,
            }
        )
    if format is Format.QUIET:
        return harmless(digest)
    return "\n".join(
        [
            f"bundled {harmless(bundled.verdict.encoder)} in {harmless(out)}: "
            f"{len(bundled.files)} files, {bundled.bytes / 1e6:.1f} MB",
            f"card {harmless(digest)}",
            f"to check it, without a network: cd {harmless(out)} && sslauth verify {bundled.name}",
        ]
    )
