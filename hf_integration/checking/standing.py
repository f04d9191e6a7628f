"""What a pin would be today: the commit that ``track`` names, and the digest of the card there."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from hf_integration.base.errors import CardNotFoundError, EncoderError, InconclusiveError, IntegrityError
from hf_integration.checking.held_card import check_signer, refuse_shadow
from hf_integration.checking.pins.pin import Pin
from hf_integration.checking.upstream import current_commit

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard


@dataclass(frozen=True)
class Change:
    """A value of an entry that is not what it would be today.

    Attributes:
        key: ``commit`` or ``card_digest``.
        old: what is pinned, or ``None``.
        new: what would be pinned today.
    """

    key: str
    old: str | None
    new: str


@dataclass(frozen=True)
class Standing:
    """How an entry stands against the Hub today.

    Attributes:
        pin: the entry.
        card: where its card was found.
        changes: what ``lock`` would write.
        objections: why its card is not to be relied on any more, in words.
        unanswered: what could not be found out, if something could not.
        note: what else whoever reviews the change should know, if there is something.
        now: the card as it is today, if it could be read.
    """

    pin: Pin
    card: str = ""
    changes: tuple[Change, ...] = ()
    objections: tuple[str, ...] = ()
    unanswered: str | None = None
    note: str | None = None
    now: "WatermarkCard | None" = None

    @property
    def stale(self) -> bool:
        """Whether what is pinned is not what it would be today."""
        return bool(self.changes or self.objections)


def standing_of(pin: Pin, *, today: date, token: str | None = None) -> Standing:
    """Resolve what a pin tracks, and load the card there.

    Args:
        pin: the entry.
        today: the date (UTC), for cards that expire.
        token: Hub token.

    Raises:
        EncoderError: no such repo, branch or tag.
        InconclusiveError: the Hub did not answer, or there is no card.
        IntegrityError: the card is damaged, or not signed by the signer.
    """
    from hf_integration.card.reading import locate, read_card

    commit = None if pin.repo is None else current_commit(pin.repo, pin.tracked, token=token)
    revision = commit if pin.has_own_card else None
    if pin.card_repo is not None:
        refuse_shadow(pin, pin.card_repo)
        # the commit first, or a card in the cache would answer for the Hub
        revision = revision or current_commit(pin.card_repo, "main", token=token)
    folder, location = locate(pin.card_folder or pin.card_repo or "", revision=revision)
    card = read_card(folder, location=location)
    if pin.signer_reference is not None:
        check_signer(folder, card.digest, pin.signer_reference)
    now = {"card_digest": card.digest} if commit is None else {"commit": commit, "card_digest": card.digest}
    changes = [Change(key, getattr(pin, key), new) for key, new in now.items() if getattr(pin, key) != new]
    note = None
    if commit is not None and card.commit not in (None, commit):
        note = f"the card was minted at {card.commit}; if the encoder changed since then, mint it again"
    if pin.repo is not None and commit is not None and pin.card_digest not in (None, card.digest):
        revocations = revoked(pin.repo, commit, pin.card_digest or "", token)
        note = "; ".join(filter(None, (*revocations, note))) or None
    found, unanswered = objections(card, pin, commit, today=today, token=token)
    return Standing(pin, card.location, tuple(changes), found, unanswered, note, card)


def checked_standing(pin: Pin, *, today: date, token: str | None = None) -> Standing:
    """:func:`standing_of`, with what keeps it from an answer as part of the answer.

    Raises:
        UsageError: the entry or the command is at fault, not what is published.
    """
    try:
        return standing_of(pin, today=today, token=token)
    except (IntegrityError, CardNotFoundError, EncoderError) as error:
        # the card, repo, branch or folder is not there or not good any more
        return Standing(pin, objections=(str(error),))
    except InconclusiveError as error:
        return Standing(pin, unanswered=str(error))


def objections(
    card: "WatermarkCard", pin: Pin, commit: str | None, *, today: date, token: str | None = None
) -> tuple[tuple[str, ...], str | None]:
    """What speaks against pinning a card, in words, and what could not be found out, if something could not.

    Args:
        card: the card as it is published today.
        pin: the entry.
        commit: commit of the encoder's repo today, or ``None`` for a folder.
        today: the date (UTC).
        token: Hub token.
    """
    found, unanswered = [], None
    if card.expired(today):
        found.append(f"the card expired on {card.expires}")
    if pin.repo is not None and commit is not None:
        found += revoked(pin.repo, commit, card.digest, token)
        if pin.has_own_card and not found:
            wrong, unanswered = _wrong_claims(pin.repo, commit, token)
            found += wrong
    return tuple(found), unanswered


def revoked(repo: str, commit: str, digest: str, token: str | None) -> list[str]:
    """That the repo's model card takes a card back, and why; what it says must be readable."""
    from hf_integration.base.errors import ModelCardError
    from hf_integration.hub import revocation_reason

    try:
        reason = revocation_reason(repo, commit, digest, token=token)
    except ModelCardError as error:
        return [str(error)]
    return [f"card {digest} was revoked by {repo}: {reason}"] if reason else []


def _wrong_claims(repo: str, commit: str, token: str | None) -> tuple[list[str], str | None]:
    """What the repo's model card says of its own card and is not so, and what the Hub could not be asked."""
    from hf_integration.base.errors import ModelCardError, ModelCardRefusedError
    from hf_integration.hub import broken_without_encoder, published_card

    try:
        published = published_card(repo, commit, token=token)
    except (ModelCardError, ModelCardRefusedError) as error:
        return [str(error)], None
    unanswered = published.unanswered.says if published.unanswered is not None else None
    return list(broken_without_encoder(published)), unanswered
