"""Where a card lies: a folder that the caller names, or a repository on the Hub."""

import os
import re
from pathlib import Path

from hf_integration.card.own_card import REPO_FOLDER, own_card
from hf_integration.card.schema import CARD_FILE, TENSOR_FILE
from hf_integration.errors import CardError, CardNotFoundError, UsageError
from hf_integration.flaw import quoted
from hf_integration.model_card import RepoCommit

_REPO_ID = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?", re.ASCII)
_MINT = "mint one with `sslauth mint`"
_AGAIN = "get the card again from its publisher"


def locate(reference: str | Path, *, revision: str | None) -> tuple[Path, str]:
    """Find the folder of a card, the local file system first.

    Args:
        reference: a folder, its ``card.json``, a folder with a card under ``sslauth/``, or a Hub repo id.
        revision: branch, tag or commit of the Hub repo.

    Returns:
        The local folder that holds ``card.json``, and what to call it.

    Raises:
        CardNotFoundError: there is no card there.
        ModelCardError: what the repository's model card says of its card is malformed.
        UsageError: a revision was given for a local folder.
    """
    path = Path(reference)
    if _exists(path):
        if revision is not None:
            raise UsageError(
                f"{quoted(str(path))} is a local folder, which has no revision {quoted(revision)}"
            )
        folder = _card_folder(path)
        return folder, str(folder)
    if isinstance(reference, Path) or not _REPO_ID.fullmatch(reference):
        raise CardNotFoundError(
            f"no such folder: {quoted(str(reference))}", remedy=f"check the path, or {_MINT}"
        )
    return _from_hub(reference, revision)


def _from_hub(repo: str, revision: str | None) -> tuple[Path, str]:
    from hf_integration.snapshot.hub import resolve_revision

    found = resolve_revision(repo, revision=revision, token=None, cache_dir=None)
    own = own_card(RepoCommit.listed(repo, found.commit, ask=found.answered))
    return own.folder, own.location


def _card_folder(path: Path) -> Path:
    if path.name == CARD_FILE and not path.is_dir():
        return path.parent
    for folder in (path, path / REPO_FOLDER):
        if os.path.lexists(folder / CARD_FILE):
            return folder
    for folder in (path, path / REPO_FOLDER):
        if os.path.lexists(folder / TENSOR_FILE):
            raise CardError(
                quoted(str(folder / CARD_FILE)), "", "missing, beside the card's other files", remedy=_AGAIN
            )
    raise CardNotFoundError(f"no watermark card in {quoted(str(path))}", remedy=_MINT)


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL character
        return False
