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
        found += _revoked(pin.repo, commit, card.digest, token)
    return tuple(found)


def _revoked(repo: str, commit: str, digest: str, token: str | None) -> list[str]:
    """That the repo's model card takes a card back, and why; what it says must be readable."""
    from hf_integration.card.flaw import FlawError

    try:
        repository = import_module("hf_integration.hub.repository")
        readme = import_module("hf_integration.hub.readme")
    except ImportError:  # a version without model cards: nothing can be taken back in one
        return []
    try:
        claims = readme.read_claims(repository.RepoCommit.listed(repo, commit, token=token).readme())
    except FlawError as flaw:
        return [f"the model card of {repo} cannot be read: {flaw}"]
    entry = None if claims is None else claims.revocation(digest)
    return [] if entry is None else [f"card {digest} was revoked by {repo}: {entry.reason}"]
