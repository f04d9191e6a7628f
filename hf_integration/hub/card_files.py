"""The files of a card as they are sent: exactly the bytes that were validated, and none beside them."""

import hashlib
import stat
from pathlib import Path

from hf_integration.card import WatermarkCard
from hf_integration.card.bounded_files import open_bounded, read_exactly
from hf_integration.card.flaw import FlawError
from hf_integration.card.schema import (
    CARD_FILE,
    MOST_BYTES,
    PICTURE_FILE,
    SIGNATURE_FILE,
    TENSOR_FILE,
    read_record,
)
from hf_integration.errors import CardError, IntegrityError

MOST_SIGNATURE_BYTES = 1 << 20

FILES = (CARD_FILE, TENSOR_FILE, PICTURE_FILE)


def read_files(folder: Path, card: WatermarkCard) -> dict[str, bytes]:
    """Read the files of a card that was loaded from this folder.

    Args:
        folder: holds ``card.json``.
        card: what was read from there before.

    Returns:
        Name -> content, ``card.json`` first; with the signature if there is one.

    Raises:
        CardError: a file cannot be read.
        IntegrityError: a file is another than when the card was validated.
    """
    found = {name: _read(folder / name, MOST_BYTES[name]) for name in FILES}
    record = read_record(found[CARD_FILE]).files
    expected = {
        CARD_FILE: card.digest.removeprefix("sha256:"),
        TENSOR_FILE: record.tensors.sha256,
        PICTURE_FILE: record.picture.sha256,
    }
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() != expected[name]:
            raise IntegrityError(f"{folder / name} changed while the card was read", remedy="try again")
    signature = folder / SIGNATURE_FILE
    if signature.exists() and stat.S_ISREG(signature.stat().st_mode):
        found[SIGNATURE_FILE] = _read(signature, MOST_SIGNATURE_BYTES)
    return found


def _read(path: Path, most: int) -> bytes:
    try:
        with open_bounded(path, most) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError as flaw:
        raise CardError(str(path), flaw.field, flaw.reason) from None
