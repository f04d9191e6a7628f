"""``sslauth add``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.cli import options
from hf_integration.cli.hub_options import HubOptions
from hf_integration.cli.inputs import given_file, signer_inputs
from hf_integration.cli.job import job
from hf_integration.cli.locking import refuse_in_ci
from hf_integration.cli.minting import checked_keys
from hf_integration.cli.opening import (
    CARDS,
    chosen_signer,
    open_card,
    open_encoder,
    own_card,
    said_of_signature,
)
from hf_integration.cli.streams import Format, Streams
from hf_integration.cli.verifying import reporter
from hf_integration.errors import AdvertisedCardMissingError, CardNotFoundError
from hf_integration.report.escaping import harmless
from hf_integration.report.json_format import strict_json

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.hub import PublishedCard
    from hf_integration.key_samples.interface import Modality
    from hf_integration.pins import Pins
    from hf_integration.signing import Signer
    from hf_integration.verdict import Trust

EPILOG = """\b
Examples:
  sslauth add ORG/NAME
  sslauth add ORG/NAME --name search --revision v2
  sslauth add ./my-encoder --keys full
  sslauth add ORG/NAME --signer keys/publisher.pub

Resolves the commit, takes the card in cards/NAME, else the one in the repository, else mints one into
cards/NAME, checks the encoder against it, and pins all of it in sslauth.toml. 'Trusted on first use': what
the Hub gives today is what every check asks for from then on. Nobody vouches that today's was good. A card
in the repository is refused, like 'verify' refuses it, if its model card revokes it or is wrong about it.
With --signer no card is minted: only a card KEY signed is taken, and the signer is pinned as well.

\b
Ends with 0 when the entry was written, and with 1 or 3, like 'verify', if the encoder does not fit its card.

\b
JSON: {"schema": 1, "file", "name", "repo", "path", "commit", "card", "card_digest", "signer", "minted",
"test"}. Quiet: the name."""


@dataclass(frozen=True)
class _Card:
    """The card of a new entry.

    Attributes:
        card: the card.
        place: what the entry calls it; nothing for the repository's own.
        minted: whether it was minted for this entry.
        published: what the model card claims, for the card of a Hub repository.
    """

    card: "WatermarkCard"
    place: str | None
    minted: bool = False
    published: "PublishedCard | None" = None


@job
def add(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[
        str, typer.Argument(metavar="ENCODER", help="A local folder or a Hub repository id, ORG/NAME.")
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="What to call it; by default its last part.")
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
        typer.Option("--pool", metavar="SOURCE", help="Where they are drawn from, if a card is minted."),
    ] = None,
    signer: options.SignerOption = None,
    allow_ci: Annotated[
        bool, typer.Option("--allow-ci", help="Write pins although CI is set: nobody reviews them there.")
    ] = False,
    modality: options.ModalityOption = None,
    device: options.DeviceOption = None,
) -> int:
    """Pin an encoder you use for the first time.

    Finds its card or mints one, and pins both in sslauth.toml.
    """
    if not allow_ci:
        refuse_in_ci("add the encoder where somebody looks at it, or give --allow-ci")
    by = chosen_signer(signer)
    streams.keep_apart(*given_file(pool), *signer_inputs(by))
    from hf_integration.pins import PINS_FILE, Pins, pins_in
    from hf_integration.pins.adding import entry_name, relative_to, signer_entry
    from hf_integration.pins.editing import with_entry, write_pins

    found = pins_in(Path())
    pins = found or Pins(Path(PINS_FILE))
    chosen = entry_name(encoder, name, pins)
    wanted: Modality | None = modality.value if modality else None
    loaded = open_encoder(encoder, streams, revision=revision, device=device, hub=hub, modality=wanted)
    if loaded.path is not None:
        streams.keep_apart(loaded.path, CARDS / chosen)
    if loaded.commit is not None:
        entry = {"repo": encoder} | ({} if revision is None else {"track": revision})
    else:
        entry = {"path": relative_to(pins.file, loaded.path or Path(encoder))}
    trusted = {} if by is None else {"signer": signer_entry(pins.file, by)}
    with_entry(pins.text, chosen, entry | trusted)  # refused before a card is minted for it
    used = _find(loaded, chosen, streams, hub, by)
    if used is None and by is not None:
        raise CardNotFoundError(
            f"{encoder} has no card that {by} could have signed", remedy="leave --signer out"
        )
    if used is not None and wanted is None and used.card.encoder.modality != loaded.modality:
        loaded = open_encoder(  # the other tower, if it has one
            encoder, streams, revision=loaded.commit, device=device, hub=hub, card=used.card
        )
    used = used or _mint(loaded, chosen, keys, pool, streams)
    if (status := _check(loaded, used, by, streams)) != 0:
        return status
    if used.place is not None:
        entry["card"] = used.place
    if loaded.commit is not None:
        entry["commit"] = loaded.commit
    entry["card_digest"] = used.card.digest
    entry |= trusted
    text = with_entry(pins.text, chosen, entry)
    write_pins(pins.file, text, before=None if found is None else found.text)
    _show(pins, chosen, entry, used, streams)
    return 0


def _find(
    encoder: "Encoder", name: str, streams: Streams, hub: HubOptions, signer: "Signer | None"
) -> _Card | None:
    """The project's card, or the encoder's own; one that is advertised and missing is not just absent."""
    folder = CARDS / name
    if (folder / "card.json").exists():
        return _Card(open_card(folder, streams, signer=signer), folder.as_posix())
    streams.say(f"no card in {folder}: looking for the encoder's own")
    try:
        if encoder.commit is None:
            return _Card(own_card(encoder, streams, signer=signer), None)
        from hf_integration.hub import check_signature, published_card

        published = published_card(encoder.name, encoder.commit, token=hub.token, cache_dir=hub.cache_dir)
    except AdvertisedCardMissingError:
        raise
    except CardNotFoundError:
        return None
    if signer is not None:
        check_signature(published, signer)
    streams.say(f"card: {published.card.location}{said_of_signature(published.folder, signer)}")
    return _Card(published.card, None, published=published)


def _mint(encoder: "Encoder", name: str, keys: str, pool: str | None, streams: Streams) -> _Card:
    folder = CARDS / name
    streams.say(f"it has no card: minting one into {folder} ...")
    from hf_integration.card import check_writable
    from hf_integration.minting import mint

    check_writable(folder)
    with streams.progress() as progress:
        card = mint(encoder, keys="full" if keys == "full" else int(keys), pool=pool, progress=progress)
    return _Card(card.save(folder), folder.as_posix(), minted=True)


def _check(encoder: "Encoder", used: _Card, signer: "Signer | None", streams: Streams) -> int:
    """Hold the encoder against the card that is about to be pinned: 0, or the status after a report."""
    from hf_integration.pins.subject import Subject

    trust: Trust | None = "signed" if signer else None
    subject = Subject(encoder, used.card, trust, published=used.published)
    with streams.progress() as progress:
        # first use: that only the repo vouches for its card is what the caller accepts, and is told
        verdict = subject.authenticate(accept_self_asserted=True, progress=progress).verdict
    if not verdict.authentic:
        streams.result(reporter(streams).render(verdict))
        streams.say("nothing was pinned")
    return verdict.exit_status


def _show(pins: "Pins", name: str, entry: dict[str, str], used: _Card, streams: Streams) -> None:
    from hf_integration.pins.adding import FIRST_USE, PRIVATE, SIGNED, sample_test

    test = sample_test(name)
    signer = entry.get("signer")
    key = None if signer is None or signer.startswith("sigstore:") else harmless(signer)
    private = used.card.secret
    files = " and ".join(filter(None, (pins.file.name, None if private else used.place, key)))
    if streams.format is Format.JSON:
        values = {key: entry.get(key) for key in ("repo", "path", "commit", "card", "card_digest", "signer")}
        facts = {"schema": 1, "file": pins.file.name, "name": name, **values}
        streams.result(strict_json({**facts, "minted": used.minted, "test": test}))
    elif streams.format is Format.QUIET:
        streams.result(name)
    else:
        origin = "minted here" if used.minted else "as it was found"
        lines = [f"'{name}' in {pins.file.name}: {entry.get('repo') or entry.get('path')}"]
        lines += [f"  commit       {entry['commit']}"] if "commit" in entry else []
        lines += [f"  card         {harmless(used.card.location)} ({origin})"]
        lines += [f"  card_digest  {entry['card_digest']}", ""]
        lines.append(
            SIGNED.format(files=files, signer=harmless(signer)) if signer else FIRST_USE.format(files=files)
        )
        lines += [PRIVATE.format(place=harmless(used.card.location))] if private else []
        streams.result("\n".join([*lines, "", "A test to paste:", "", test]))
