"""The card that an encoder's own repository publishes, and what its model card claims about it."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import (
    EncoderError,
    IntegrityError,
    ModelCardError,
    ModelCardRefusedError,
    SSLAuthError,
)
from hf_integration.base.text import listed, quoted
from hf_integration.base.vocabulary import SIGNATURE_FILE, same_repo, today
from hf_integration.card import WatermarkCard
from hf_integration.card.reading import own_card, read_card
from hf_integration.model_card.metadata import Metadata, claims_of
from hf_integration.model_card.repository import RepoCommit, weights_changed
from hf_integration.snapshot.hub_errors import HubUnreachableError, hub_errors
from hf_integration.verdict import Claim

if TYPE_CHECKING:
    from hf_integration.signing import Signer


_LOCATION = re.compile(r"hub:(?P<repo>[^@]+)@(?P<commit>[0-9a-f]{40})(/.*)?")
_PROVES_NOTHING = "it proves nothing any more: wait for a new one, or name a card that you trust with --card"


@dataclass(frozen=True, eq=False)
class PublishedCard:
    """A card of the checked repository itself.

    Attributes:
        card: the card; its location is one of the Hub, so that it is believed no more than the repository.
        folder: where its files lie on this machine.
        commit: commit of the repository that it was read from.
        advertised: what the model card says; ``None`` where it says nothing and the card lies there anyway.
        claims: those of the model card that need no encoder to be checked.
        unanswered: the claim that does not hold only because the Hub is out of reach, if there is one.
    """

    card: WatermarkCard
    folder: Path
    commit: str
    advertised: Metadata | None
    claims: tuple[Claim, ...]
    unanswered: Claim | None = None


def published_card(
    repo: str, commit: str, *, token: str | None = None, cache_dir: Path | None = None
) -> PublishedCard:
    """Find the card that a repository publishes at a commit, and check what its model card says about it.

    Args:
        repo: repo id.
        commit: 40 hexadecimal digits.
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.

    Raises:
        AdvertisedCardMissingError: the model card advertises one, and there is none.
        CardNotFoundError: there is none.
        CardError: it is damaged.
        ModelCardError: what the model card says is malformed, or of another card.
        ModelCardRefusedError: the card expired, was revoked, or was minted for another repository.
        InconclusiveError: the Hub cannot be asked.
    """
    there = RepoCommit.listed(repo, commit, token=token, cache_dir=cache_dir)
    own = own_card(there)
    folder, advertised = own.folder, own.advertised
    card = read_card(folder, location=own.location)
    claims: tuple[Claim, ...] = ()
    unanswered = None
    if advertised is not None:
        weights, asked = _weights_claim(advertised, there)
        unanswered = None if asked else weights
        claims = (
            _digest_claim(card, advertised, there),
            _standing_claim(card, advertised, there),
            _date_claim(card, advertised, there),
            _repository_claim(card, there),
            weights,
            *_signature_claim(advertised, folder),
        )
    else:
        _date_claim(card, None, there)
        _repository_claim(card, there)
    return PublishedCard(card, folder, commit, advertised, claims, unanswered)


def published_if_own(
    card: WatermarkCard, repo: str, commit: str, *, token: str | None = None, cache_dir: Path | None = None
) -> PublishedCard | None:
    """The claims about a card that was loaded by its place, if that was the repository of the encoder itself.

    Args:
        card: a card that was loaded, from wherever.
        repo: repo id of the encoder.
        commit: the encoder's, 40 hexadecimal digits.
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.

    Returns:
        What :func:`published_card` finds, or ``None`` for a card from elsewhere.

    Raises:
        ModelCardRefusedError: the card is another one than the repository has at this commit.
        SSLAuthError: as of :func:`published_card`.
    """
    taken = _LOCATION.fullmatch(card.location)
    if taken is None or not same_repo(taken["repo"], repo):
        return None
    published = published_card(repo, commit, token=token, cache_dir=cache_dir)
    if published.card.digest != card.digest:
        raise ModelCardRefusedError(
            f"{quoted(card.location)} is not the card of {quoted(repo)} at {commit}, the encoder's commit",
            remedy="leave --card out, or name a folder",
        )
    return published


def refuse_revoked(card: WatermarkCard, *, token: str | None = None, cache_dir: Path | None = None) -> None:
    """Refuse a card that the repository it was read from took back; one from a folder asks nobody.

    Raises:
        ModelCardRefusedError: it was taken back.
        ModelCardError: what the model card says is malformed.
        InconclusiveError: the Hub cannot be asked.
    """
    taken = _LOCATION.fullmatch(card.location)
    if taken is None:
        return
    repo, commit = taken["repo"], taken["commit"]  # just read, so the cache knows it
    reason = revocation_reason(repo, commit, card.digest, ask=False, token=token, cache_dir=cache_dir)
    if reason is not None:
        raise ModelCardRefusedError(
            f"the card {card.digest} of {taken['repo']} was revoked by its publisher: {quoted(reason)}",
            remedy=_PROVES_NOTHING,
        )


def check_signature(published: PublishedCard, signer: "Signer") -> None:
    """Check that somebody signed the very card that was read.

    Raises:
        IntegrityError: it is not signed, by somebody else, or another card is.
    """
    from hf_integration.signing import verify

    if verify(published.folder, signer) != published.card.digest:
        raise IntegrityError(f"{published.card.location} changed while it was read", remedy="try again")


def revocation_reason(
    repo: str,
    commit: str,
    digest: str,
    *,
    ask: bool = True,
    token: str | None = None,
    cache_dir: Path | None = None,
) -> str | None:
    """Why a repository's model card takes a card back, if it does.

    Args:
        repo: repo id.
        commit: 40 hexadecimal digits.
        digest: of the card, ``sha256:…``.
        ask: ask the Hub first; else only what the cache does not know.
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.

    Raises:
        ModelCardError: what the model card says is malformed.
        InconclusiveError: the Hub cannot be asked.
    """
    advertised = claims_of(RepoCommit.listed(repo, commit, ask=ask, token=token, cache_dir=cache_dir))
    revoked = advertised.revocation(digest) if advertised is not None else None
    return None if revoked is None else revoked.reason


def _digest_claim(card: WatermarkCard, advertised: Metadata, there: RepoCommit) -> Claim:
    if card.digest != advertised.digest:
        raise ModelCardError(
            f"the model card of {there} advertises the card {advertised.digest}, and the one in "
            f"{advertised.card}/ is {card.digest}",
            remedy="one of the two was replaced: do not use it, ask its publisher",
        )
    return Claim("digest", True, "the card is the one that is advertised")


def _standing_claim(card: WatermarkCard, advertised: Metadata, there: RepoCommit) -> Claim:
    revoked = advertised.revocation(card.digest)
    if revoked is not None:
        raise ModelCardRefusedError(
            f"the card {card.digest} of {there} was revoked by its publisher: {quoted(revoked.reason)}",
            remedy=_PROVES_NOTHING,
        )
    return Claim("standing", True, "not revoked")


def _date_claim(card: WatermarkCard, advertised: Metadata | None, there: RepoCommit) -> Claim:
    own = card.expires
    said = advertised.expires if advertised is not None else own
    if own != said:
        raise ModelCardError(
            f"the model card of {there} says that its card expires {said or 'never'}; the card says "
            f"{own or 'never'}",
            remedy="one of the two was replaced: do not use it, ask its publisher",
        )
    if own is not None and date.fromisoformat(own) < today():
        raise ModelCardRefusedError(
            f"the card {card.digest} of {there} expired on {own}",
            remedy=_PROVES_NOTHING,
        )
    return Claim("date", True, f"good until {own}" if own is not None else "does not expire")


def _repository_claim(card: WatermarkCard, there: RepoCommit) -> Claim:
    if other := minted_for_another(card, there.repo, token=there.token):
        raise ModelCardRefusedError(
            f"the card of {there} was minted for another repository, {quoted(other)}",
            remedy="check that one, or name a card that you trust with --card",
        )
    return Claim(
        "repository",
        True,
        "minted for this repository" if card.commit is not None else "minted from a local folder",
    )


def _weights_claim(advertised: Metadata, there: RepoCommit) -> tuple[Claim, bool]:
    """That the weights are those that the card was published for, going by the bytes of their files.

    Returns:
        The claim, and whether the Hub could be asked about it.
    """
    of = advertised.encoder_commit
    published_for = f"the card was published for commit {of}"

    def broken(says: str) -> Claim:
        return Claim("encoder commit", False, says)

    try:
        recorded = RepoCommit.listed(there.repo, of, token=there.token, cache_dir=there.cache_dir)
    except HubUnreachableError:
        return broken(f"{published_for}, which could not be looked up: the Hub is out of reach"), False
    except EncoderError:
        return broken(f"{published_for}, which this repository does not have"), True
    changed = weights_changed(recorded, there)
    if changed is None:
        return broken(f"{published_for}, whose files are listed with other kinds of digests than now"), True
    if changed:
        return broken(
            f"the card is older than the weights: it was published for commit {of}, and "
            f"{listed(changed)} changed since"
        ), True
    return Claim("encoder commit", True, f"the weights are still those of commit {of}"), True


def _signature_claim(advertised: Metadata, folder: Path) -> tuple[Claim, ...]:
    """That a signature is there; whose it is decides the caller, who alone knows whom to believe."""
    if not advertised.signed:
        return ()
    if not (folder / SIGNATURE_FILE).is_file():
        return (Claim("signature", False, f"said to be signed, but {SIGNATURE_FILE} is missing"),)
    return (Claim("signature", True, "there is one; --signer says whose it must be"),)


def minted_for_another(card: WatermarkCard, repo: str, *, token: str | None = None) -> str | None:
    """The repository that a card was minted for, if it is another one.

    A card that was minted from a local folder names no repository: digests and commit say what it is of.
    """
    if card.commit is None or same_repo(card.encoder_name, repo):
        return None
    return None if _renamed(card.encoder_name, repo, token) else card.encoder_name


def _renamed(old: str, repo: str, token: str | None) -> bool:
    """Whether the Hub knows both by the same name now: nobody can make it say so of another's repository."""
    from huggingface_hub import HfApi

    names = []
    try:
        for name in (old, repo):
            with hub_errors(name, None):
                names.append(str(HfApi(token=token).model_info(name).id))
    except SSLAuthError:
        return False
    return names[0] == names[1]
