"""Writing a card: whole or not at all, and never over anything that is not a card."""

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from hf_integration.base.errors import CardError, FlawError, KeySampleError, OutputError
from hf_integration.base.output_files import staging, sync_folder, write_file
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, SIGNATURE_FILE, TENSOR_FILE
from hf_integration.card.card import WatermarkCard
from hf_integration.card.contents import pack
from hf_integration.card.key_images import png_of
from hf_integration.card.reading import read_card
from hf_integration.card.schema import MOST_BYTES, write_record
from hf_integration.card.tensor_file import write_tensors

SCALE = 4
"""Enlargement: a watermark of 72 pixels a side is too small to judge on a screen."""


def check_writable(folder: Path, *, force: bool = False) -> None:
    """Find out before minting, not minutes later, that a card could not be written.

    Args:
        folder: where the card shall lie.
        force: whether a card that lies there already may be replaced.

    Raises:
        OutputError: something lies there already, or the file system refuses.
    """
    target = _resolved(folder)
    _check_replaceable(target, folder, force=force)
    with _explained(folder), staging(target, secret=True), suppress(FileNotFoundError):
        target.lstat()  # fails where the name itself is impossible, such as too long


def save_card(card: WatermarkCard, folder: str | Path, *, force: bool = False) -> WatermarkCard:
    """Write a card, whole or not at all, and read it back.

    The files go into a temporary folder beside the target, reach the disk, are read back with all checks,
    and only then take the target's name.

    Args:
        card: the card.
        folder: where it shall be; its parents are made.
        force: replace a card that is there already.

    Returns:
        The card as it reads from there, with digest and location.

    Raises:
        OutputError: something is there already, the file system refuses, or a part of the card is not one
            that could be read back.
    """
    folder = Path(folder)
    target = _resolved(folder)
    _check_replaceable(target, folder, force=force)
    files = _file_contents(card)
    with _explained(folder), staging(target, secret=card.secret) as place:
        for name, data in files.items():
            write_file(place / name, data, secret=card.secret)
        sync_folder(place)
        try:
            written = read_card(place, location=str(folder))
        except CardError as error:
            raise OutputError(f"the card would not be readable: {error}") from None
        _check_behaviour(card, written)
        _put_in_place(place, target, replacing=force)
    return written


def _check_behaviour(card: WatermarkCard, written: WatermarkCard) -> None:
    """Values that JSON changes (a tuple, an integer as key) would read as an altered encoder ever after."""
    for name, was, reads in (
        ("behaviour", card.behaviour.to_record(), written.behaviour.to_record()),
        ("folder.files", card.folder.files, written.folder.files),
        ("folder.in_effect", card.folder.in_effect, written.folder.in_effect),
    ):
        for file, values in was.items():
            for key, value in values.items():
                if reads[file][key] != value:
                    raise OutputError(f"the card cannot be written: {name}.{file}.{key}: not a JSON value")


def _file_contents(card: WatermarkCard) -> dict[str, bytes]:
    try:
        record, tensors = pack(card)
        files = {TENSOR_FILE: write_tensors(tensors), PICTURE_FILE: _picture(card)}
        for name, data in files.items():
            if len(data) > MOST_BYTES[name]:
                raise FlawError(name, f"{len(data)} bytes, more than {MOST_BYTES[name]}")
        record["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        }
        # card.json last: a reader that meets a half-made folder finds no card in it
        return files | {CARD_FILE: write_record(record)}
    except (FlawError, KeySampleError) as error:
        raise OutputError(f"the card cannot be written: {error}") from None


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL character
        raise OutputError(f"not a usable path: {quoted(str(folder))} ({quoted(str(error))})") from None


def _check_replaceable(target: Path, folder: Path, *, force: bool) -> None:
    shown = quoted(str(folder), longest=400)
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise OutputError(f"{shown} exists and is not a folder", remedy="choose another output")
    if not force:
        raise OutputError(f"{shown} exists already", remedy="choose another output, or --force to replace it")
    try:
        others = sorted(entry.name for entry in target.iterdir() if not _is_of_card(entry.name))
    except OSError as error:
        raise OutputError(f"cannot read {shown}: {error.strerror}") from None
    if others:
        # replacing removes the folder: never somebody's other files with it
        raise OutputError(
            f"{shown} holds {quoted(others[0])}, which is not part of a card, so it is not replaced",
            remedy="choose another output",
        )


def _is_of_card(name: str) -> bool:
    """Whether a file belongs to a card; signatures lie beside ``card.json``.

    A signature goes with the card that it was made for: one that stayed behind would look current.
    """
    signature = name == SIGNATURE_FILE or name.startswith((f"{SIGNATURE_FILE}.", f"{CARD_FILE}."))
    return name in {CARD_FILE, TENSOR_FILE, PICTURE_FILE} or signature


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        shown = quoted(str(folder), longest=400)
        raise OutputError(
            f"cannot write {shown}: {error.strerror or type(error).__name__}", remedy="choose another output"
        ) from None


def _put_in_place(place: Path, target: Path, *, replacing: bool) -> None:
    if not (replacing and os.path.lexists(target)):
        place.rename(target)
        sync_folder(target.parent)
        return
    # no portable call swaps two folders: between two renames the old card lies whole under another name
    aside = place.with_suffix(".old")
    target.rename(aside)
    try:
        place.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _picture(card: WatermarkCard) -> bytes:
    """The watermark as a PNG: an 8-bit grey one, or that of the key images."""
    if card.motif == "samples":
        return png_of(card.watermark)
    import PIL.Image

    pixels = np.kron(card.watermark.numpy(), np.ones((SCALE, SCALE), np.uint8))
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
