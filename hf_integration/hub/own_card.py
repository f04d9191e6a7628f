"""Where a repository's own card lies: one rule, whoever asks, as two readers must not see two cards."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hf_integration.card.flaw import FlawError
from hf_integration.card.locating import REPO_FOLDER
from hf_integration.card.schema import CARD_FILE, MOST_BYTES, PICTURE_FILE, SIGNATURE_FILE, TENSOR_FILE
from hf_integration.errors import (
    AdvertisedCardMissingError,
    CardError,
    CardNotFoundError,
    IntegrityError,
    ModelCardError,
)
from hf_integration.hub import readme
from hf_integration.hub.card_files import MOST_SIGNATURE_BYTES
from hf_integration.hub.metadata import Metadata
from hf_integration.hub.repository import RepoCommit

_PUBLISH = "whoever publishes it: mint a card from these weights and run 'sslauth publish' again"
_LIMITS = {**MOST_BYTES, SIGNATURE_FILE: MOST_SIGNATURE_BYTES}


@dataclass(frozen=True)
class OwnCard:
    """The card's files, fetched and with the bytes of the commit; what they say was not read yet.

    Attributes:
        folder: where they lie on this machine.
        location: what to call it. No local path can be taken for it: whether a card is local decides its
            trust.
        advertised: what the model card says; ``None`` where it says nothing.
    """

    folder: Path
    location: str
    advertised: Metadata | None


def own_card(there: RepoCommit) -> OwnCard:
    """Find and fetch a repository's own card.

    It lies in the folder that the model card advertises; where that says nothing, in ``sslauth/``, else at
    the root, which is for repositories that hold a card and nothing else.

    Raises:
        AdvertisedCardMissingError: the model card advertises one, and there is none.
        CardNotFoundError: there is none.
        CardError: parts of one lie there without ``card.json``.
        ModelCardError: what the model card says is malformed.
        InconclusiveError: the Hub cannot be asked.
        IntegrityError: a file that is too large for a card's, or other bytes than the commit's.
    """
    advertised = claims_of(there)
    path = _path(there, advertised)
    location = f"hub:{there.repo}@{there.commit}" + (f"/{path}" if path else "")
    return OwnCard(_fetched(there, path) / path, location, advertised)


def claims_of(there: RepoCommit) -> Metadata | None:
    """What a repository's model card says about a watermark card.

    Raises:
        ModelCardError: it is malformed.
        InconclusiveError: the Hub cannot be asked.
    """
    try:
        return readme.read_claims(there.readme())
    except FlawError as flaw:
        raise ModelCardError(
            f"the model card of {there} cannot be read: {readme.FILE}: {flaw}",
            remedy=flaw.remedy or "name a card that you trust with --card",
        ) from None


def _path(there: RepoCommit, advertised: Metadata | None) -> str:
    """Folder of the card in the repository; empty for the root."""
    if advertised is not None:
        if f"{advertised.card}/{CARD_FILE}" not in there.files:
            raise AdvertisedCardMissingError(
                f"the model card of {there} advertises a watermark card in {advertised.card}/, "
                "and there is none",
                remedy=_PUBLISH,
            )
        return advertised.card
    for path in (REPO_FOLDER, ""):
        if _in(path, CARD_FILE) in there.files:
            return path
        if _in(path, TENSOR_FILE) in there.files:
            raise CardError(
                f"{there}: {_in(path, CARD_FILE)}",
                "",
                "missing, beside the card's other files",
                remedy="get the card again from its publisher",
            )
    raise CardNotFoundError(
        f"no watermark card: {there} neither advertises one nor holds one in {REPO_FOLDER}/",
        remedy="name one with --card, or mint one from a copy that you trust with 'sslauth mint'",
    )


def _fetched(there: RepoCommit, path: str) -> Path:
    names = [_in(path, name) for name in (CARD_FILE, TENSOR_FILE, PICTURE_FILE, SIGNATURE_FILE)]
    for name in names:
        most = _LIMITS[PurePosixPath(name).name]
        if name in there.files and there.files[name].size > most:
            raise IntegrityError(
                f"{there}: {name} has {there.files[name].size} bytes; a card's has at most {most}",
                remedy="do not use it",
            )
    return there.fetch(names)


def _in(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
