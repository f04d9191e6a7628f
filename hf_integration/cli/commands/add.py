"""``sslauth add``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import AdvertisedCardMissingError, CardNotFoundError, UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import CARD_FILE
from hf_integration.cli import options
from hf_integration.cli.commands.lock import refuse_in_ci
from hf_integration.cli.commands.mint import checked_keys
from hf_integration.cli.commands.verify import reporter
from hf_integration.cli.options import (
    HubOptions,
    chosen_publisher,
    chosen_signer,
    given_file,
    job,
    understood,
)
from hf_integration.cli.streams import Format, Streams

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Modality
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.finding import Found
    from hf_integration.checking.held_card import Access
    from hf_integration.checking.pins import Pins
    from hf_integration.checking.subject import Subject

EPILOG = """\b
Examples:
  sslauth add ORG/NAME
  sslauth add ORG/NAME --name search --revision v2
  sslauth add ./my-encoder --keys full
  sslauth add ORG/NAME --signer keys/publisher.pub
  sslauth add ORG/NAME --publisher sigstore:IDENTITY@https://ISSUER

Resolves the commit, takes the card in cards/NAME, else the one in the repository, else mints one into
cards/NAME. Then it checks the encoder against the card, and pins both in sslauth.toml. 'Trusted on first
use': every later check asks for what the Hub gives today, and nobody vouches that this is good. A card in
the repository is refused, just as 'verify' refuses it, if the repository's model card revokes it or is wrong
about it. With --signer no card is minted: only a card KEY signed is taken, and the signer is pinned as well.
With --publisher the encoder's own signature is checked (model.sig), and every later check asks for it.

\b
Ends with 0 when the entry was written, and, like 'verify', with 1 or 3 if the encoder does not fit its card.

\b
JSON: {"schema": 1, "file", "name", "repo", "path", "commit", "card", "card_digest", "signer",
"publisher", "minted", "test"}. Quiet: the name."""


@job()
def add(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[
        str, typer.Argument(metavar="ENCODER", help="A local folder or a Hub repository id, ORG/NAME.")
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="N", help="Name of the entry; by default the last part of ENCODER."),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="R", help="Branch or tag 'sslauth lock' follows.  [main]"),
    ] = None,
    keys: Annotated[
        str,
        typer.Option(
            "--keys", metavar="N|full", callback=checked_keys, help="Key samples, if a card is minted."
        ),
    ] = "64",
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool", metavar="SOURCE", help="Where key samples are drawn from, if a card is minted."
        ),
    ] = None,
    signer: options.SignerOption = None,
    publisher: options.PublisherOption = None,
    allow_ci: Annotated[
        bool, typer.Option("--allow-ci", help="Write pins although CI is set: nobody reviews them there.")
    ] = False,
    modality: options.ModalityOption = None,
    pooling: options.PoolingOption = None,
    device: options.DeviceOption = None,
) -> int:
    """Pin an encoder you use for the first time.

    Finds its card or mints one, and pins both in sslauth.toml.
    """
    if not allow_ci:
        refuse_in_ci("add the encoder where somebody looks at it, or give --allow-ci")
    by, published_by = chosen_signer(signer), chosen_publisher(publisher)
    streams.keep_apart(*given_file(pool))
    from hf_integration.checking.adding import entry_name, publisher_entry, signer_entry
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.pins import PINS_FILE, Pins, pins_in
    from hf_integration.checking.pins.editing import with_entry, write_pins

    project, before = Project(), pins_in(Path())
    pins = before or Pins(Path(PINS_FILE))
    chosen = entry_name(encoder, name, pins)
    folder = project.cards / chosen
    held = (folder / CARD_FILE).exists()
    asked = Asked(
        encoder=encoder,
        card=str(folder) if held else None,
        revision=revision,
        signer=by,
        publisher=published_by,
        own_card="never" if held else "only",
        pins="none",
    )
    found = understood(project.find(asked), streams)
    streams.keep_apart(folder)
    entry = _entry(found, pins)
    trusted = {} if by is None else {"signer": signer_entry(pins.file, by)}
    trusted |= {} if published_by is None else {"publisher": publisher_entry(pins.file, published_by)}
    with_entry(pins.text, chosen, entry | trusted)  # refused before a card is minted for it
    access = hub.access(streams, device)
    subject = _existing(found, folder, access, modality.value if modality else None)
    minted = subject is None
    pooled = pooling.value if pooling else None
    if subject is None:
        tower: Modality | None = modality.value if modality else None
        subject = _minted(found, folder, access, tower, pooled, keys, pool, streams)
    elif pooled not in (None, subject.card.encoder.chosen_pooling):
        raise UsageError(
            f"its card is of another pooling ({subject.card.encoder.pooling})", remedy="leave --pooling out"
        )
    if (status := _check(subject, streams)) != 0:
        return status
    if minted or held:
        entry["card"] = folder.as_posix()
    if subject.encoder.commit is not None:
        entry["commit"] = subject.encoder.commit
    entry["card_digest"] = subject.card.digest
    entry |= trusted
    text = with_entry(pins.text, chosen, entry)
    write_pins(pins.file, text, before=None if before is None else before.text)
    _show(pins, chosen, entry, subject.card, minted, streams)
    return 0


def _entry(found: "Found", pins: "Pins") -> dict[str, str]:
    """The new entry, as far as it is known before anything is loaded."""
    from hf_integration.checking.adding import relative_to

    place, revision = found.encoder, found.asked.revision
    if place.repo is not None:
        return {"repo": place.repo} | ({} if revision is None else {"track": revision})
    return {"path": relative_to(pins.file, place.folder or Path(place.name))}


def _existing(
    found: "Found", folder: Path, access: "Access", modality: "Modality | None"
) -> "Subject | None":
    """The encoder with the project's card or its own; one that is advertised and missing is not just absent.

    Raises:
        CardNotFoundError: there is none, and somebody has to have signed it.
    """
    from hf_integration.checking.subject import load_subject

    if found.card is None:
        access.say(f"no card in {folder}: looking for the encoder's own")
    try:
        return load_subject(found, access, modality=modality)
    except AdvertisedCardMissingError:
        raise
    except CardNotFoundError:
        if found.asked.signer is None:
            return None
        raise CardNotFoundError(
            f"{found.asked.encoder} has no card that {found.asked.signer} could have signed",
            remedy="leave --signer out",
        ) from None


def _minted(
    found: "Found",
    folder: Path,
    access: "Access",
    modality: "Modality | None",
    pooling: str | None,
    keys: str,
    pool: str | None,
    streams: Streams,
) -> "Subject":
    """The encoder with a card that is minted for it now."""
    from hf_integration.card import check_writable, save_card
    from hf_integration.checking.held_card import HeldCard
    from hf_integration.checking.subject import load_encoder_at, own_commit, subject_around
    from hf_integration.minting import mint

    commit = own_commit(found, access)
    encoder = load_encoder_at(found.encoder, access, commit=commit, modality=modality, pooling=pooling)
    streams.say(f"it has no card: minting one into {folder} ...")
    check_writable(folder)
    with streams.progress() as progress:
        card = mint(encoder, keys="full" if keys == "full" else int(keys), pool=pool, progress=progress)
    return subject_around(encoder, HeldCard(save_card(card, folder), folder), found, access)


def _check(subject: "Subject", streams: Streams) -> int:
    """Hold the encoder against the card that is about to be pinned: 0, or the status after a report."""
    with streams.progress() as progress:
        # first use: that only the repo vouches for its card is what the caller accepts, and is told
        verdict = subject.authenticate(accept_self_asserted=True, progress=progress).verdict
    if not verdict.authentic:
        streams.result(reporter(streams).render(verdict))
        streams.say("nothing was pinned")
    return verdict.exit_status


def _show(
    pins: "Pins", name: str, entry: dict[str, str], card: "WatermarkCard", minted: bool, streams: Streams
) -> None:
    from hf_integration.checking.adding import FIRST_USE, PRIVATE, SIGNED, sample_test

    test = sample_test(name)
    signer = entry.get("signer")
    key = None if signer is None or signer.startswith("sigstore:") else harmless(signer)
    private = card.secret
    files = " and ".join(filter(None, (pins.file.name, None if private else entry.get("card"), key)))
    if streams.format == Format.JSON:
        keys = ("repo", "path", "commit", "card", "card_digest", "signer", "publisher")
        values = {key: entry.get(key) for key in keys}
        facts = {"schema": 1, "file": pins.file.name, "name": name, **values}
        streams.result(strict_json({**facts, "minted": minted, "test": test}))
    elif streams.format == Format.QUIET:
        streams.result(name)
    else:
        origin = "minted here" if minted else "as it was found"
        lines = [f"'{name}' in {pins.file.name}: {entry.get('repo') or entry.get('path')}"]
        lines += [f"  commit       {entry['commit']}"] if "commit" in entry else []
        lines += [f"  card         {harmless(card.location)} ({origin})"]
        lines += [f"  card_digest  {entry['card_digest']}"]
        lines += [f"  publisher    {harmless(entry['publisher'])}", ""] if "publisher" in entry else [""]
        lines.append(
            SIGNED.format(files=files, signer=harmless(signer)) if signer else FIRST_USE.format(files=files)
        )
        lines += [PRIVATE.format(place=harmless(card.location))] if private else []
        streams.result("\n".join([*lines, "", "A test to paste:", "", test]))
