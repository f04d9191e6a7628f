"""``sslauth bundle``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli import options
from hf_integration.cli.commands.verify import reporter
from hf_integration.cli.options import HubOptions, chosen_publisher, chosen_signer, job, understood
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.bundle import Bundled


EPILOG = """\b
Examples:
  sslauth bundle ORG/NAME --revision COMMIT --card cards/NAME --out NAME-bundle
  sslauth bundle ORG/NAME --signer keys/publisher.pub --out NAME-bundle
  cd NAME-bundle && sslauth verify NAME

A bundle holds the encoder (safetensors and settings, no code), its card, the signer's key and an sslauth.toml
that pins the card. A model.sig is taken along; if --publisher or sslauth.toml says who has to have made it,
the bundle asks for it as well. A NAME in the sslauth.toml here is bundled as pinned there.

The encoder is checked first. If it is not authentic, the report says why, nothing is written, and the status
is the verdict's.

\b
JSON: {"schema": 1, "bundle", "name", "card": {"digest"}, "files": [...], "bytes", "trust"}; an encoder that
was not bundled gives its verdict, like 'sslauth verify'.
Quiet: the card's digest, or the verdict's word."""


@job()
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
    publisher: options.PublisherOption = None,
    device: options.DeviceOption = None,
    trust_self_asserted: options.SelfAssertedOption = False,
) -> int:
    """Put an encoder and its card into one folder.

    It verifies without a network.
    """
    for given, called in ((encoder, "ENCODER"), (card, "--card"), (str(out), "--out")):
        if given == "":
            raise UsageError(f"{called} is empty", remedy="is a variable unset?")
    from hf_integration.bundle import BundleRequest, make_bundle

    request = BundleRequest(
        encoder=encoder,
        out=out,
        name=name,
        revision=revision,
        card=card,
        signer=chosen_signer(signer),
        publisher=chosen_publisher(publisher),
        accept_self_asserted=trust_self_asserted,
    )
    found = understood(request.find(), streams)
    with streams.progress() as progress:
        bundled = make_bundle(request, hub.access(streams, device), found=found, progress=progress)
    if not bundled.files:
        streams.result(reporter(streams).render(bundled.verdict))
        return bundled.verdict.exit_status
    streams.result(_rendered(bundled, out, streams.format))
    return 0


def _rendered(bundled: "Bundled", out: Path, format: str) -> str:
    digest = bundled.verdict.card.digest
    if format == Format.JSON:
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
    if format == Format.QUIET:
        return harmless(digest)
    return "\n".join(
        [
            f"bundled {harmless(bundled.verdict.encoder)} in {harmless(out)}: "
            f"{len(bundled.files)} files, {bundled.bytes / 1e6:.1f} MB",
            f"card {harmless(digest)}",
            f"to check it, without a network: cd {harmless(out)} && sslauth verify {bundled.name}",
        ]
    )
