"""Why a card that fits its pin is not to be relied on: expired, taken back, or not as it is advertised."""

from datetime import date
from typing import TYPE_CHECKING

from hf_integration.pins.pin import Pin

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard


def objections(
    card: "WatermarkCard", pin: Pin, commit: str | None, *, today: date, token: str | None = None
) -> tuple[tuple[str, ...], str]:
    """What speaks against pinning a card, in words, and what could not be found out, or an empty string.

    Args:
        card: the card as it is published today.
        pin: the entry.
        commit: commit of the encoder's repo today, or ``None`` for a folder.
        today: the date (UTC).
        token: Hub token.
    """
    found, unanswered = [], ""
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
    from hf_integration.errors import ModelCardError
    from hf_integration.hub import revocation_reason

    try:
        reason = revocation_reason(repo, commit, digest, token=token)
    except ModelCardError as error:
        return [str(error)]
    return [f"card {digest} was revoked by {repo}: {reason}"] if reason else []


def _wrong_claims(repo: str, commit: str, token: str | None) -> tuple[list[str], str]:
    """What the repo's model card says of its own card and is not so, and what the Hub could not be asked."""
    from hf_integration.errors import ModelCardError, ModelCardRefusedError
    from hf_integration.hub import broken_without_encoder, published_card

    try:
        published = published_card(repo, commit, token=token)
    except (ModelCardError, ModelCardRefusedError) as error:
        return [str(error)], ""
    unanswered = published.unanswered.says if published.unanswered is not None else ""
    return list(broken_without_encoder(published)), unanswered
