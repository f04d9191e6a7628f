"""Finding and reading a card: sizes first, then the header, then every byte once."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hf_integration.base.errors import (
    AdvertisedCardMissingError,
    CardError,
    CardNotFoundError,
    FlawError,
    IntegrityError,
    UsageError,
)
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import (
    CARD_FILE,
    PICTURE_FILE,
    REPO_FOLDER,
    SIGNATURE_FILE,
    TENSOR_FILE,
    is_repo_id,
)
from hf_integration.card.card import WatermarkCard
from hf_integration.card.contents import tensor_forms, unpack
from hf_integration.card.key_images import check_png
from hf_integration.card.schema import MOST_BYTES, CardRecord, FileRecord, read_record
from hf_integration.card.tensor_file import read_tensors
from hf_integration.model_card import Metadata, RepoCommit, claims_of

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
    if isinstance(reference, Path) or not is_repo_id(reference):
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


def load_card(reference: str | Path, *, revision: str | None = None) -> WatermarkCard:
    """Find, read and validate a card; takes at most a moment, whatever is there.

    Args:
        reference: a folder or its ``card.json`` (tried first), or a Hub repo id.
        revision: branch, tag or commit of the Hub repo.

    Raises:
        CardError: the card is damaged, edited, oversized or of another schema version.
        CardNotFoundError: there is no card there.
    """
    folder, location = locate(reference, revision=revision)
    return read_card(folder, location=location)


def read_card(folder: Path, *, location: str) -> WatermarkCard:
    """Read and validate the card in a folder.

    Args:
        folder: holds the three files.
        location: what messages and the card itself call the folder.

    Raises:
        CardError: the card is damaged, edited, oversized or of another schema version.
    """
    name = f"{quoted(location, longest=400)}/{{}}".format
    with _blaming(name(CARD_FILE)), open_bounded(folder / CARD_FILE, MOST_BYTES[CARD_FILE]) as (stream, size):
        data = bytes(read_exactly(stream, size))
        record = read_record(data)
    with _blaming(name(PICTURE_FILE)):
        picture = _read_picture(folder / PICTURE_FILE, record.files.picture)
    with _blaming(name(TENSOR_FILE)):
        card = _read_contents(folder / TENSOR_FILE, record)
    if card.motif == "samples":
        with _blaming(name(PICTURE_FILE)):
            check_png(picture, card.watermark)
    return replace(card, digest=f"sha256:{hashlib.sha256(data).hexdigest()}", location=location)


def _read_picture(path: Path, expected: FileRecord) -> bytes:
    with open_bounded(path, MOST_BYTES[PICTURE_FILE]) as (stream, size):
        _check_size(size, expected)
        data = bytes(read_exactly(stream, size))
    if hashlib.sha256(data).hexdigest() != expected.sha256:
        raise FlawError("", "its SHA-256 is not the one in card.json: edited or damaged")
    return data


def _read_contents(path: Path, record: CardRecord) -> WatermarkCard:
    with open_bounded(path, MOST_BYTES[TENSOR_FILE]) as (stream, size):
        _check_size(size, record.files.tensors)
        tensors = read_tensors(stream, size, record.files.tensors.sha256, tensor_forms(record))
    return unpack(record, tensors)


def _check_size(size: int, expected: FileRecord) -> None:
    if size != expected.bytes:
        raise FlawError("", f"{size} bytes, but card.json states {expected.bytes}: truncated or replaced")


@contextmanager
def _blaming(file: str) -> Iterator[None]:
    try:
        yield
    except FlawError as flaw:
        raise CardError(file, flaw.field, flaw.reason, remedy=flaw.remedy) from None
