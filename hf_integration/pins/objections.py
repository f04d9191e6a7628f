"""Why a card that fits its pin is not to be relied on any more: it expired, or its publisher took it back."""

from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING

from hf_integration.pins.pin import Pin

if TYPE_CHECKING:
    from hf_integration.card import WatermarkCard


def objections(
    card: "WatermarkCard", pin: Pin, commit: str | None, *, today: date, token: str | None = None
) -> tuple[str, ...]:
    """What speaks against pinning a card, in words.

    Args:
        card: the card as it is published today.
        pin: the entry.
        commit: commit of the encoder's repo today, or ``None`` for a folder.
        today: the date (UTC).
        token: Hub token.
    """
    found = []
    expires = getattr(card, "expires", None)
    if expires is not None and date.fromisoformat(str(expires)) < today:
        found.append(f"the card expired on {expires}")
    if pin.repo is not None and commit is not None:
        digests = dict.fromkeys(digest for digest in (pin.card_digest, card.digest) if digest)
        reasons = {digest: _revoked(pin.repo, commit, digest, token) for digest in digests}
        found += [f"card {d} was revoked by {pin.repo}: {reason}" for d, reason in reasons.items() if reason]
    return tuple(found)


def _revoked(repo: str, commit: str, digest: str, token: str | None) -> str:
    """Why the repo's model card takes a card back; empty if it does not."""
    try:
        hub = import_module("hf_integration.hub")
    except ImportError:  # a version without model cards: nothing can be taken back in one
        return ""
    return str(hub.revocation_reason(repo, commit, digest, token=token))
