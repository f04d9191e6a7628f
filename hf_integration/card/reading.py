"""Reading a card: sizes first, then the header, then every byte once. Nothing is believed unchecked."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hf_integration.base.errors import CardError, FlawError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, TENSOR_FILE
from hf_integration.card.card import WatermarkCard
from hf_integration.card.contents import tensor_forms, unpack
from hf_integration.card.locating import locate
from hf_integration.card.schema import MOST_BYTES, CardRecord, FileRecord, read_record
from hf_integration.card.tensor_file import read_tensors


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
        _check_picture(folder / PICTURE_FILE, record.files.picture)
    with _blaming(name(TENSOR_FILE)):
        card = _read_contents(folder / TENSOR_FILE, record)
    return replace(card, digest=f"sha256:{hashlib.sha256(data).hexdigest()}", location=location)


def _check_picture(path: Path, expected: FileRecord) -> None:
    with open_bounded(path, MOST_BYTES[PICTURE_FILE]) as (stream, size):
        _check_size(size, expected)
        if hashlib.sha256(read_exactly(stream, size)).hexdigest() != expected.sha256:
            raise FlawError("", "its SHA-256 is not the one in card.json: edited or damaged")


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
