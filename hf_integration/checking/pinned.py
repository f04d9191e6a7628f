"""Loading what is pinned, and nothing else: commit, card digest and signer are enforced here only."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import IntegrityError, UsageError
from hf_integration.checking.pins.pin import Pin
from hf_integration.checking.subject import Subject
from hf_integration.checking.upstream import commit_on_the_hub

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Modality
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder
    from hf_integration.signing import Signer
    from hf_integration.verdict import Trust


Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class PinnedCard:
    """A card that fits its pin.

    Attributes:
        card: the card.
        trust: why it is believed, as far as the pin gives a reason; else where it was loaded from decides.
    """

    card: "WatermarkCard"
    trust: "Trust | None"


def revision_of(pin: Pin, asked: str | None) -> str | None:
    """The revision to load a pinned encoder at.

    Args:
        pin: the entry.
        asked: the revision that the caller named.

    Raises:
        UsageError: the caller asks for another one than is pinned.
    """
    pinned = pin.commit or pin.track
    if asked is None:
        return None if pin.repo is None else pinned or pin.tracked
    if pin.repo is None:
        raise UsageError(f"{pin} is a folder, which has no revision {asked!r}", remedy="leave it out")
    if pinned is not None and asked != pinned:
        verb = "is pinned to" if pin.commit else "follows"
        raise UsageError(
            f"revision {asked!r} contradicts {pin.file.name}, where '{pin.name}' {verb} {pinned}",
            remedy="leave the revision out; only `sslauth lock` moves a pin",
        )
    return asked


def lock_hint(pin: Pin) -> str:
    """What is missing of a pin, in words; empty for one that is locked."""
    if pin.locked:
        return ""
    missing = "no card digest" if pin.card_digest is None else "no commit"
    return f"'{pin.name}' is not locked ({missing} in {pin.file.name}): run `sslauth lock`"


def open_pinned(
    pin: Pin,
    *,
    revision: str | None = None,
    card: str | Path | None = None,
    card_pin: Pin | None = None,
    signer: "Signer | None" = None,
    device: str | None = None,
    token: str | None = None,
    cache_dir: Path | None = None,
    say: Say = lambda _: None,
) -> Subject:
    """Load an encoder and its card as they are pinned.

    Args:
        pin: the entry of ``sslauth.toml``.
        revision: what the caller asks for; must not contradict the pin.
        card: another place to take the card from; its digest is enforced all the same.
        card_pin: another entry whose card is taken, instead of ``card``; it has to fit both entries.
        signer: who has to have signed the card, besides the one who is pinned.
        device: where the encoder is loaded.
        token: Hub token.
        cache_dir: Hub cache.
        say: told what is loaded.

    Raises:
        UsageError: the caller contradicts the pin.
        IntegrityError: commit, card or signature are not the pinned ones.
        EncoderError: the encoder cannot be loaded.
        InconclusiveError: the Hub could not be asked, or there is no card.
    """
    wanted = revision_of(pin, revision)

    def load(card: "WatermarkCard | None" = None) -> "Encoder":
        return load_pinned_encoder(
            pin,
            revision=revision,
            device=device,
            token=token,
            cache_dir=cache_dir,
            say=say,
            preferred=None if card is None else card.encoder.modality,
        )

    if card_pin is not None and card_pin != pin:
        held = load_pinned_card(card_pin, also=pin, signer=signer, token=token, say=say)
        encoder = load(held.card)
    elif card is None and pin.has_own_card and pin.commit is None:
        encoder = load()  # first: its commit is that of its card
        held = load_pinned_card(pin, signer=signer, revision=encoder.commit, token=token, say=say)
        if held.card.encoder.modality != encoder.modality:
            encoder = load(held.card)  # the other tower, if it has one
    else:
        # the card first, so that one that was replaced is known before an encoder takes its seconds
        held = load_pinned_card(pin, place=card, signer=signer, revision=wanted, token=token, say=say)
        encoder = load(held.card)
    return Subject(encoder, held.card, held.trust, pin.waivers)


def load_pinned_encoder(
    pin: Pin,
    *,
    revision: str | None = None,
    device: str | None = None,
    token: str | None = None,
    cache_dir: Path | None = None,
    say: Say = lambda _: None,
    modality: "Modality | None" = None,
    preferred: "Modality | None" = None,
) -> "Encoder":
    """Load an encoder at its pinned commit.

    The arguments are those of :func:`open_pinned`, and ``modality`` and ``preferred`` those of
    :func:`~hf_integration.encoders.load_encoder`.

    Raises:
        UsageError: the caller contradicts the pin.
        IntegrityError: the Hub no longer has the commit.
    """
    from hf_integration.encoders import load_encoder

    wanted = revision_of(pin, revision)
    say(f"loading {pin} ...")
    if hint := lock_hint(pin):
        say(hint)
    refuse_shadow(pin, pin.repo)
    with commit_on_the_hub(pin, token=token):
        encoder = load_encoder(
            pin.reference,
            revision=wanted,
            device=device,
            token=token,
            cache_dir=cache_dir,
            modality=modality,
            preferred=preferred,
        )
    if pin.commit is not None and encoder.commit != pin.commit:
        raise IntegrityError(f"{pin}: the Hub gave commit {encoder.commit}")
    return encoder


def load_pinned_card(
    pin: Pin,
    *,
    place: str | Path | None = None,
    also: Pin | None = None,
    signer: "Signer | None" = None,
    revision: str | None = None,
    token: str | None = None,
    say: Say = lambda _: None,
) -> PinnedCard:
    """Load a card, and refuse every other one than is pinned.

    Args:
        pin: the entry of ``sslauth.toml``.
        place: where to take the card from instead.
        also: another entry, the encoder's, that the card has to fit as well.
        signer: who has to have signed it, besides the one who is pinned.
        revision: commit of the encoder's repo, for a card that lies there.
        token: Hub token.
        say: told which card was loaded.

    Raises:
        IntegrityError: it is another card than the pinned one, damaged, or not signed by the signer.
        CardNotFoundError: there is no card.
        InconclusiveError: the Hub could not be asked, or signatures cannot be checked.
    """
    from hf_integration.card import exposure, load_card

    reference, at = card_source(pin, revision) if place is None else (place, None)
    with commit_on_the_hub(pin, token=token):
        card = load_card(reference, revision=at)
    say(f"card: {card.location}")
    if warning := exposure(card):
        say(warning)
    entries = [pin] if also is None else [pin, also]
    for entry in entries:
        _check_digest(card, entry, elsewhere=place is not None)
    signers = [who for who in (*(entry.signer_reference for entry in entries), signer) if who is not None]
    for who in signers:
        check_signer(_folder_of(reference, at), card.digest, who)
    if any(entry.card_digest is not None for entry in entries):
        return PinnedCard(card, "pinned")
    return PinnedCard(card, "signed" if signers else None)


def _check_digest(card: "WatermarkCard", pin: Pin, *, elsewhere: bool) -> None:
    if pin.card_digest is not None and card.digest != pin.card_digest:
        other = f"leave --card out to use the pinned one, or write this one into {pin.file.name} and run "
        replaced = "if it was replaced on purpose, run `sslauth lock` and review the diff"
        raise IntegrityError(
            f"the card of '{pin.name}' is not the pinned one: {pin.file.name} pins {pin.card_digest}, "
            f"but {card.location} is {card.digest}",
            remedy=f"{other}`sslauth lock`" if elsewhere else replaced,
        )


def card_source(pin: Pin, revision: str | None) -> tuple[str | Path, str | None]:
    """What a pin's card is loaded by: a folder, or a Hub repo and its revision."""
    if pin.card_folder is not None:
        return pin.card_folder, None
    refuse_shadow(pin, pin.card_repo)
    return pin.card_repo or "", (revision or pin.commit or pin.tracked) if pin.has_own_card else None


def _folder_of(reference: str | Path, revision: str | None) -> Path:
    from hf_integration.card.locating import locate

    return locate(reference, revision=revision)[0]


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


def check_signer(card_folder: Path, digest: str, signer: "str | Signer") -> None:
    """Check the signature beside a card; a signer that is named is never passed over.

    Args:
        card_folder: the folder that holds ``card.json`` and ``card.sig``.
        digest: ``sha256:…`` of the card as it was read.
        signer: public key file, or ``sigstore:IDENTITY@ISSUER``.

    Raises:
        IntegrityError: no signature, somebody else's, or a broken one.
        InconclusiveError: what Sigstore signatures are checked with is out of reach.
        UsageError: the signer is not one, or the extra ``sign`` is not installed.
    """
    from hf_integration.signing import verify

    if verify(card_folder, signer) != digest:
        raise IntegrityError(f"the card {digest} changed while it was read", remedy="try again")
