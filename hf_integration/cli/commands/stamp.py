"""``sslauth stamp``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import OutputError, RecordError, UsageError
from hf_integration.base.output_files import check_apart, check_file, write_whole
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.cli import options
from hf_integration.cli.options import HubOptions, chosen_signer, job, understood
from hf_integration.cli.server_options import asks_server, check_either
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.checking.finding import Found, Place
    from hf_integration.endpoints import Address
    from hf_integration.stamps.stamp import Stamp

EPILOG = """\b
Examples:
  sslauth stamp NAME --out stamp.json
  sslauth stamp ORG/NAME --revision COMMIT --serving tei --out stamp.json
  sslauth stamp --endpoint http://localhost:8080 --api tei --out stamp.json
  sslauth stamp --accept sslauth_stamps/search.new.json --out sslauth_stamps/search.json

A stamp is one line of text, to be kept beside a vector index or in its metadata. 'sslauth check-stamp' tells
with it whether queries are embedded as the index was. Of an ENCODER it also holds what likely other recipes
would give (another pooling, a prompt, tanh GELU, half precision, cuts), so that they can be named. Of an
endpoint it holds the answers alone.

Make it with what embeds the index: --serving says what a server does to ENCODER. If there is a card for
ENCODER, it has to fit it, and the stamp names its digest.

A test that fails in sslauth.assert_same_embeddings leaves a stamp of what is embedded now. --accept takes
it, says how far it is from the one it replaces, and removes the file.

A stamp is public, and whoever has read it can answer as it says. It finds mistakes, and no attackers.

\b
JSON: {"schema": 1, "stamp", "encoder", "commit": string or null, "card": string or null, "recipe", "form",
"tolerance", "dimensions", "texts", "others", "characters"}
Quiet: the file."""


@job()
@asks_server("Stamp what the server there answers.")
def stamp(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[
        str | None, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP, show_default=False)
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the stamp.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a stamp that is there already.")] = False,
    revision: options.RevisionOption = None,
    card: Annotated[
        str | None, typer.Option("--card", metavar="DIR|REPO", help="The card that ENCODER has to fit.")
    ] = None,
    signer: options.SignerOption = None,
    accept: Annotated[
        Path | None,
        typer.Option(
            "--accept", metavar="FILE", help="Take the stamp that a failing test of pytest left in FILE."
        ),
    ] = None,
    serving: Annotated[
        str | None,
        typer.Option("--serving", metavar="RECIPE", help="What is done to ENCODER, such as tei or ollama."),
    ] = None,
    server: "Address | None",
    device: options.DeviceOption = None,
) -> int:
    """Make a stamp, which tells later whether queries are embedded as an index was."""
    check_new(out, "stamp", force=force)
    streams.keep_apart(out)
    if accept is not None:
        others = (encoder, server, revision, card, signer, serving, device)
        if any(other is not None for other in others):
            raise UsageError(
                "--accept takes the stamp in its file", remedy="leave all but --out and --force out"
            )
        return _accept(streams, accept, out)
    check_either(
        "stamp",
        encoder,
        server,
        revision=revision,
        card=card,
        signer=signer,
        serving=serving,
        device=device,
    )
    if server is not None:
        from hf_integration.endpoints import Endpoint
        from hf_integration.stamps.from_answers import stamp_endpoint

        with Endpoint(server, say=streams.say) as asked:
            made = stamp_endpoint(asked)
    else:
        made = _of_encoder(
            streams,
            hub,
            encoder or "",
            out,
            revision=revision,
            card=card,
            signer=signer,
            serving=serving,
            device=device,
        )
    return _write(streams, made, out)


def _write(streams: Streams, made: "Stamp", out: Path) -> int:
    line = f"{made}\n".encode()
    write_whole(out, line)
    streams.result(_rendered(made, out, len(line) - 1, streams.format))
    return 0


def _accept(streams: Streams, accept: Path, out: Path) -> int:
    """Let the stamp of one file replace another, and say how far the two are apart."""
    from hf_integration.stamps.likeness import likeness
    from hf_integration.stamps.stamp import Stamp

    check_apart(out, accept)
    made = Stamp.load(accept)
    if out.is_file():
        try:
            before = Stamp.load(out)
        except RecordError as error:  # there is no better reason to replace it
            streams.say(f"before: {error}")
        else:
            if before.texts == made.texts:
                streams.say(f"before: {likeness(before, made.embeddings)}")
            else:
                streams.say(f"before: {harmless(before.name)}, of other texts")
    status = _write(streams, made, out)
    accept.unlink(missing_ok=True)
    return status


def check_new(out: Path, what: str, *, force: bool) -> None:
    """Find out before the work that a file can be written.

    Raises:
        OutputError: it cannot, or is there already.
    """
    check_file(out)
    if out.is_file() and not force:
        raise OutputError(f"there is a file {out} already", remedy=f"--force replaces it by a new {what}")
    from hf_integration.checking.pins import PINS_FILE

    check_apart(out, Path(PINS_FILE))


def _of_encoder(
    streams: Streams,
    hub: HubOptions,
    encoder: str,
    out: Path,
    *,
    revision: str | None,
    card: str | None,
    signer: str | None,
    serving: str | None,
    device: str | None,
) -> "Stamp":
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.trusted_copy import trusted_copy
    from hf_integration.serving.presets import preset
    from hf_integration.serving.stamping import make_stamp

    recipe = None if serving is None else preset(serving)
    asked = Asked(encoder=encoder, card=card, revision=revision, signer=chosen_signer(signer))

    def apart(found: "Found | Place") -> None:
        understood(found, streams)
        check_apart(out, *found.inputs)

    copy = trusted_copy(Project(), asked, hub.access(streams, device), understood=apart)
    if copy.encoder.path is not None:
        streams.keep_apart(copy.encoder.path)
        check_apart(out, copy.encoder.path)
    if copy.trust == "self-asserted":
        streams.say("nobody pinned this encoder: give --revision COMMIT, or pin it with 'sslauth add'")
    with streams.progress() as progress:
        return make_stamp(copy.encoder, serving=recipe, card=copy.card, progress=progress)


def _rendered(made: "Stamp", out: Path, characters: int, format: str) -> str:
    if format == Format.QUIET:
        return harmless(out)
    if format == Format.JSON:
        return strict_json(
            {
                "schema": 1,
                "stamp": str(out),
                "encoder": made.encoder,
                "commit": made.commit,
                "card": made.card,
                "recipe": made.recipe,
                "form": made.form,
                "tolerance": made.tolerance,
                "dimensions": made.dimensions,
                "texts": len(made.texts),
                "others": [other.says for other in made.others],
                "characters": characters,
            }
        )
    named = f"; {len(made.others)} other recipes can be named" if made.others else ""
    return (
        f"stamp of {harmless(made.name)}, {harmless(made.recipe)}\n"
        f"{len(made.texts)} texts, {made.dimensions} dimensions, {characters} characters{named}\n"
        f"written: {harmless(out)}"
    )
