"""Where a repository's own card lies: one rule, whoever asks, as two readers must not see two cards."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hf_integration.card.schema import CARD_FILE, MOST_BYTES, PICTURE_FILE, SIGNATURE_FILE, TENSOR_FILE
from hf_integration.errors import (
    AdvertisedCardMissingError,
    CardError,
    CardNotFoundError,
    IntegrityError,
)
from hf_integration.model_card import Metadata, RepoCommit, claims_of

REPO_FOLDER = "sslauth"
"""Folder of the card inside an encoder's own repository; a repository of its own has it at the root."""

_PUBLISH = "whoever publishes it: mint a card from these weights and run 'sslauth publish' again"


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
        most = MOST_BYTES[PurePosixPath(name).name]
        if name in there.files and there.files[name].size > most:
            raise IntegrityError(
                f"{there}: {name} has {there.files[name].size} bytes; a card's has at most {most}",
                remedy="do not use it",
            )
    return there.fetch(names)


def _in(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
