"""``sslauth publish``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli import options
from hf_integration.cli.options import HubOptions, job
from hf_integration.cli.streams import Format, Streams
from hf_integration.report.columns import pairs

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.hub import Publication
    from hf_integration.model_card.metadata import Revocation


EPILOG = """\b
Examples:
  sslauth publish cards/NAME ORG/NAME
  sslauth publish cards/NAME ORG/NAME --create-pr
  sslauth publish cards/NAME ORG/NAME --sign-key publisher.pem
  sslauth publish cards/NEW ORG/NAME --revoke sha256:OLD --reason "minted from the wrong branch"

Puts the card under sslauth/ of the encoder's repository and lets its model card advertise it: a key 'sslauth'
in the YAML header, and a section between the markers <!-- sslauth:begin --> and <!-- sslauth:end -->. Every
other byte of README.md stays as it is; a README.md that cannot be edited without harm is refused. All of it
is one commit or one pull request, on exactly the commit that was looked at: if somebody changes the
repository meanwhile, nothing is published (3), and you can run the command again. Publishing the same card
again changes nothing.

The encoder is loaded from the repository first: a card for other weights or settings is refused (2), and so
is a private card, before anything is sent.

\b
JSON: {"schema": 1, "repo", "card", "encoder_commit", "commit", "pull_request": address or null,
"changed": [...], "signed": true or false}
Quiet: the commit, or the address of the pull request."""

SCHEMA = 1


@job()
def publish(
    streams: Streams,
    hub: HubOptions,
    card: Annotated[Path, typer.Argument(metavar="CARD", help="The card's folder.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The encoder's Hub repository, ORG/NAME.")],
    *,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request instead of committing.")
    ] = False,
    sign_key: Annotated[
        Path | None,
        typer.Option("--sign-key", metavar="KEY", help="Sign the card with this private key (PEM)."),
    ] = None,
    revoke: Annotated[
        str | None,
        typer.Option("--revoke", metavar="DIGEST", help="Take back the card with this digest, sha256:..."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why it is taken back, in one line.")
    ] = None,
    evaluation_results: Annotated[
        Path | None,
        typer.Option(
            "--evaluation-results",
            metavar="FILE",
            help="JSON of 'sslauth stress', for the model card's evaluation results.",
        ),
    ] = None,
    device: options.DeviceOption = None,
) -> int:
    """Publish a watermark card in its encoder's Hub repository."""
    streams.keep_apart(card, *(file for file in (sign_key, evaluation_results) if file is not None))
    taken_back = _revocation(revoke, reason)
    if not card.exists():
        raise UsageError(f"no card at {card}", remedy="name the folder that 'sslauth mint' wrote")
    from hf_integration.checking.finding import Place
    from hf_integration.checking.subject import load_encoder_at
    from hf_integration.hub import Publisher

    def load(name: str, commit: str, card: "WatermarkCard") -> "Encoder":
        place, preferred = Place(name, repo=name), card.encoder
        return load_encoder_at(place, hub.access(streams, device), commit=commit, preferred=preferred)

    publisher = Publisher(
        load=load,
        create_pr=create_pr,
        sign_key=sign_key,
        revoked=taken_back,
        evaluation=evaluation_results,
        token=hub.token,
        cache_dir=hub.cache_dir,
    )
    _show(publisher.publish(card, repo), streams)
    return 0


def _revocation(digest: str | None, reason: str | None) -> "Revocation | None":
    if digest is None and reason is None:
        return None
    if digest is None or reason is None:
        raise UsageError("--revoke and --reason go together", remedy="give both")
    from hf_integration.base.errors import FlawError
    from hf_integration.hub import revocation

    try:
        return revocation(digest, reason)
    except FlawError as flaw:
        option = "--reason" if "reason" in flaw.field else "--revoke"
        raise UsageError(f"{option}: {flaw.reason}") from None


def _show(done: "Publication", streams: Streams) -> None:
    if streams.format == Format.JSON:
        streams.result(
            strict_json(
                {
                    "schema": SCHEMA,
                    "repo": done.repo,
                    "card": done.digest,
                    "encoder_commit": done.encoder_commit,
                    "commit": done.commit,
                    "pull_request": done.pull_request,
                    "changed": done.changed,
                    "signed": done.signed,
                }
            )
        )
        return
    if streams.format == Format.QUIET:
        streams.result(harmless(done.pull_request or done.commit, longest=1000))
        return
    facts = [
        ("card", done.digest),
        ("of commit", done.encoder_commit),
        ("signed", "yes" if done.signed else "no"),
        ("commit", harmless(done.commit)),
    ]
    if done.pull_request:
        facts.append(("pull request", harmless(done.pull_request, longest=1000)))
    for name in done.changed:
        gone = name.endswith("card.sig") and not done.signed
        facts.append(("removed" if gone else "changed", harmless(name)))
        if gone:
            facts.append(
                ("note", "this card is not signed: whoever asks for a signer will refuse it (--sign-key)")
            )
    if done.changed and done.pull_request:
        headline = f"PULL REQUEST for {harmless(done.repo)}: nothing is published until it is merged"
    elif done.changed:
        headline = (
            f"PUBLISHED in {harmless(done.repo)}; others use it with: sslauth add {harmless(done.repo)}"
        )
    elif done.pull_request:
        headline = f"NOTHING TO CHANGE: a pull request of {harmless(done.repo)} does all of it already"
    else:
        headline = f"NOTHING TO CHANGE: {harmless(done.repo)} publishes this card already"
    streams.result("\n".join([headline, *pairs(facts)]))
