"""The card of a bundle: copied byte for byte, and read again where it lies then."""

import os
from pathlib import Path

from hf_integration.base.errors import CardError, FlawError, IntegrityError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.base.output_files import write_file
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, SIGNATURE_FILE, TENSOR_FILE
from hf_integration.bundle.layout import CARD, SIGNER
from hf_integration.card import WatermarkCard
from hf_integration.card.reading import read_card
from hf_integration.card.schema import MOST_BYTES
from hf_integration.signing import KeySigner, verify


def copy_card(source: Path, target: Path, *, secret: bool) -> None:
    """Copy a card and its signature, if it has one."""
    target.mkdir(mode=0o700 if secret else 0o777)
    names = [TENSOR_FILE, PICTURE_FILE, CARD_FILE]
    if os.path.lexists(source / SIGNATURE_FILE):
        names.append(SIGNATURE_FILE)
    for name in names:
        try:
            with open_bounded(source / name, MOST_BYTES[name]) as (stream, size):
                data = read_exactly(stream, size)
        except FlawError as flaw:
            raise CardError(quoted(str(source / name), longest=400), "", flaw.reason) from None
        write_file(target / name, bytes(data), secret=secret)


def read_copy(place: Path, original: WatermarkCard, *, signed: bool) -> WatermarkCard:
    """The card as it lies in the bundle, with its signature checked by the key that lies there too."""
    card = read_card(place / CARD, location=original.location)
    if card.digest != original.digest:
        raise IntegrityError(f"{quoted(original.location)} changed while it was copied", remedy="try again")
    if signed and verify(place / CARD, KeySigner(place / SIGNER)) != card.digest:
        raise IntegrityError(f"{quoted(original.location)} changed while it was copied", remedy="try again")
    return card
