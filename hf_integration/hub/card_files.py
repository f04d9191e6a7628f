"""The files of a card as they are sent: exactly the bytes that were validated, and none beside them."""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from hf_integration.base.errors import CardError, FlawError, IntegrityError, PublishingRefusedError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, SIGNATURE_FILE, TENSOR_FILE
from hf_integration.card import WatermarkCard
from hf_integration.card.schema import MOST_BYTES, read_record

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
        PublishingRefusedError: the signature is none, or of other files; by whom it is is not asked.
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
        content = _read(signature, MOST_BYTES[SIGNATURE_FILE])
        if wrong := signature_flaw(content, found):
            raise PublishingRefusedError(
                f"{quoted(str(signature), longest=400)} is no signature of this card: {wrong}",
                remedy="delete it, or sign the card again with `sslauth sign --force`",
            )
        found[SIGNATURE_FILE] = content
    return found


def signature_flaw(signature: bytes, files: Mapping[str, bytes]) -> str:
    """Why a signature is not one over exactly a card's three files, in words; empty if it says that it is.

    Whether it is genuine is not said: that takes a key, and is asked by whoever believes in one.

    Args:
        signature: content of ``card.sig``.
        files: name -> content of the card's files.
    """
    from hf_integration.signing.statement import parse_signature

    try:
        covered = parse_signature(signature).files
    except FlawError as flaw:
        return str(flaw)
    for name in FILES:
        if name not in covered:
            return f"it does not cover {name}"
        if covered[name] != hashlib.sha256(files[name]).hexdigest():
            return f"{name} is not the file that was signed"
    more = sorted(set(covered) - set(FILES))
    return f"it covers {quoted(more[0])} as well" if more else ""


def _read(path: Path, most: int) -> bytes:
    try:
        with open_bounded(path, most) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError as flaw:
        raise CardError(str(path), flaw.field, flaw.reason) from None
