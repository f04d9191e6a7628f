"""Reading the card that a name leads to: card digest and signer are enforced here, and nowhere else."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import (
    AdvertisedCardMissingError,
    CardNotFoundError,
    EncoderError,
    IntegrityError,
    UsageError,
)
from hf_integration.base.vocabulary import SIGNATURE_FILE
from hf_integration.checking.finding import Asked, Found, Place
from hf_integration.checking.pins import Pin
from hf_integration.checking.upstream import commit_on_the_hub

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard
    from hf_integration.hub import PublishedCard
    from hf_integration.signing import Signer
    from hf_integration.verdict import Trust


@dataclass(frozen=True, kw_only=True)
class Access:
    """How encoders and cards are fetched and loaded.

    Attributes:
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.
        device: where encoders are loaded; by default an accelerator if there is one.
        say: told what is done, line by line.
    """

    token: str | None = None
    cache_dir: Path | None = None
    device: str | None = None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, eq=False)
class HeldCard:
    """A card that fits every entry and every signer that were asked for.

    Attributes:
        card: the card.
        folder: where its files are on this machine.
        trust: why it is believed, as far as a pin or a signature gives a reason; else where it was loaded
            from decides.
        published: what the encoder's own repository claims about it, if it comes from there and no pin is a
            better reason to believe it.
        signers: who signed it, in words: each was asked for, and each signature was verified.
    """

    card: "WatermarkCard"
    folder: Path
    trust: "Trust | None" = None
    published: "PublishedCard | None" = None
    signers: tuple[str, ...] = ()


def hold_card(found: Found, access: Access, *, commit: str | None = None) -> HeldCard:
    """Read the card of an encoder, and refuse every other one than is pinned.

    Args:
        found: what the names mean.
        access: how the Hub is asked.
        commit: the encoder's, for a card in the encoder's own repository: one commit names both.

    Raises:
        IntegrityError: it is another card than the pinned one, damaged, or not signed by the signer.
        CardNotFoundError: there is no card.
        ModelCardRefusedError: its own repository took it back, or it is not what the model card says.
        InconclusiveError: the Hub could not be asked, or signatures cannot be checked.
    """
    only_own = found.asked.own_card == "only"
    repo = found.encoder.repo if found.card is None else None
    published = None
    try:
        if repo is not None and commit is not None and (only_own or not _digests(found.pins)):
            from hf_integration.hub import published_card

            published = published_card(repo, commit, token=access.token, cache_dir=access.cache_dir)
            card, folder = published.card, published.folder
        else:
            card, folder = _read(found.card or found.encoder, access, revision=commit if repo else None)
    except AdvertisedCardMissingError:
        raise
    except CardNotFoundError as error:
        raise _not_found(found, error) from error
    entries = [
        pin for pin in found.pins if not only_own or pin.has_own_card or pin.card_digest == card.digest
    ]
    trust, signers = _trust(card, folder, entries, found)
    if published is None and trust != "pinned" and (found.card or found.encoder).folder is None:
        from hf_integration.hub import refuse_revoked

        refuse_revoked(card, token=access.token, cache_dir=access.cache_dir)
    held = HeldCard(card, folder, trust, published, signers)
    _say(held, access)
    return held


def hold_named(place: Place, access: Access, *, revision: str | None = None) -> HeldCard:
    """Read a card that was named itself, whatever encoder it is of.

    Args:
        place: where it is; its entry is enforced.
        access: how the Hub is asked.
        revision: branch, tag or commit of a Hub repo.

    Raises:
        UsageError: the revision contradicts the entry.
        SSLAuthError: as of :func:`hold_card`.
    """
    found = Found(asked=Asked(encoder=place.name), encoder=Place(place.name), card=place)
    if place.pin is not None:
        asked = place.pin.revision(revision)
        revision = asked if place.pin.has_own_card else None  # the encoder's is none of another repository
    elif place.folder is not None and revision is not None:
        raise UsageError(f"{place.folder} is a local folder, which has no revision {revision!r}")
    card, folder = _read(place, access, revision=revision)
    trust, signers = _trust(card, folder, found.pins, found)
    held = HeldCard(card, folder, trust, signers=signers)
    _say(held, access)
    return held


def _digests(pins: Iterable[Pin]) -> list[str]:
    return [pin.card_digest for pin in pins if pin.card_digest is not None]


def _read(place: Place, access: Access, *, revision: str | None) -> "tuple[WatermarkCard, Path]":
    from hf_integration.card.reading import locate, read_card

    pin = place.pin
    if place.folder is None and pin is not None:
        refuse_shadow(pin, place.repo)
        if pin.has_own_card:
            revision = revision or pin.commit or pin.tracked
    with commit_on_the_hub(pin, token=access.token):
        folder, location = locate(
            place.folder if place.folder is not None else place.repo or place.name,
            revision=None if place.folder is not None else revision,
        )
    return read_card(folder, location=location), folder


def _not_found(found: Found, error: CardNotFoundError) -> CardNotFoundError:
    place = found.card or found.encoder
    if place.pin is not None or (found.card is None and place.folder is None):
        return error  # says which repository, or which folder of which entry
    if found.card is None:
        return CardNotFoundError(
            f"no watermark card: neither in {found.default} nor with the encoder", remedy=found.remedy
        )
    shown = place.folder or f"'{place.name}', neither in a folder of that name nor on the Hub"
    return CardNotFoundError(f"no watermark card at {shown}", remedy=found.remedy)


def _trust(
    card: "WatermarkCard", folder: Path, entries: Iterable[Pin], found: Found
) -> "tuple[Trust | None, tuple[str, ...]]":
    """Hold a card against the entries and the signer that were asked for: a better reason to believe it.

    A digest that fits makes up for no signature: each signer that is named has to have signed the card.

    Returns:
        The reason, and who signed the card, in words.

    Raises:
        IntegrityError: it does not fit one of them.
    """
    signers: list[str | Signer] = [] if found.asked.signer is None else [found.asked.signer]
    for entry in entries:
        if entry.card_digest is not None and card.digest != entry.card_digest:
            remedy = (
                f"leave --card out to use the pinned one, or write this one into {entry.file.name} and run "
                "`sslauth lock`"
                if found.asked.card is not None
                else "if it was replaced on purpose, run `sslauth lock` and review the diff"
            )
            raise IntegrityError(
                f"the card of '{entry.name}' is not the pinned one: {entry.file.name} pins "
                f"{entry.card_digest}, but {card.location} is {card.digest}",
                remedy=remedy,
            )
        if entry.signer_reference is not None:
            signers.append(entry.signer_reference)
    signed = tuple(dict.fromkeys(check_signer(folder, card.digest, signer) for signer in signers))
    return "pinned" if _digests(entries) else "signed" if signed else None, signed


def check_signer(folder: Path, digest: str, signer: "str | Signer") -> str:
    """Check the signature beside a card; a signer that is named is never passed over.

    Args:
        folder: holds ``card.json`` and ``card.sig``.
        digest: ``sha256:…`` of the card as it was read.
        signer: public key file, or ``sigstore:IDENTITY@ISSUER``.

    Returns:
        Who signed it, in words.

    Raises:
        IntegrityError: no signature, somebody else's, or a broken one.
        InconclusiveError: what Sigstore signatures are checked with is out of reach.
        UsageError: the signer is not one, or the extra ``sign`` is not installed.
    """
    from hf_integration.signing import signer_from, verify

    by = signer_from(signer) if isinstance(signer, str) else signer
    if verify(folder, by) != digest:
        raise IntegrityError(f"the card {digest} changed while it was read", remedy="try again")
    return str(by)


def check_place(place: Place) -> None:
    """Refuse a place that would be taken for another one: a folder for a repo, or a repo for a folder.

    Raises:
        EncoderError: the folder is gone; a repository of that name is somebody else's.
        UsageError: a folder has the name of the pinned repo.
    """
    if place.folder is not None and not place.folder.exists():
        raise EncoderError(f"{place.folder}: no such folder", remedy="check the path")
    if place.pin is not None:
        refuse_shadow(place.pin, place.repo)


def refuse_shadow(pin: Pin, repo: str | None) -> None:
    """Refuse a folder of the repo's name, which would be loaded instead of the repo.

    Raises:
        UsageError: there is one.
    """
    if repo is not None and os.path.lexists(repo):
        raise UsageError(
            f"{pin} is on the Hub, but a folder '{repo}' here would be taken for it",
            remedy=f"move the folder, or write path instead of repo in {pin.file.name}",
        )


def _say(held: HeldCard, access: Access) -> None:
    """Which card was read, whose signature was checked, and who else may read it."""
    from hf_integration.card import exposure

    said = f"card: {held.card.location}"
    if held.published is not None:
        said += f", {'' if held.published.advertised else 'not '}advertised by its model card"
    if held.signers:
        said += f", signed by {' and by '.join(held.signers)}"
    elif held.trust is None and os.path.lexists(held.folder / SIGNATURE_FILE):
        said += "; its signature was not checked: --signer KEY does that"
    access.say(said)
    if warning := exposure(held.card):
        access.say(warning)
