"""The files that a signature covers, copied to where nothing else lies and nobody else writes.

model-signing signs whole folders and refuses symbolic links; a card lies beside a README, or in the Hub's
cache, which is made of links. What is signed or checked is therefore a copy of exactly the three files, and
their digests are those of the bytes that were copied.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hf_integration.base.errors import CardError, FlawError, OutputError
from hf_integration.base.files import open_bounded
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import CARD_FILE, PICTURE_FILE, TENSOR_FILE
from hf_integration.card.schema import MOST_BYTES

COVERED = (CARD_FILE, TENSOR_FILE, PICTURE_FILE)

NAME = "watermark-card"
"""Name of the folder in the statement, wherever the card lies: a path is nobody's business."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Copy:
    """A card's files by themselves.

    Attributes:
        folder: holds exactly the three files.
        digests: name -> SHA-256 in hexadecimal.
        beside: an empty folder for the signature.
    """

    folder: Path
    digests: Mapping[str, str]
    beside: Path


@contextmanager
def exact_copy(folder: Path) -> Iterator[Copy]:
    """Copy the files of a card for as long as the context lasts.

    Yields:
        The copy, readable by its owner alone.

    Raises:
        CardError: a file is missing, oversized or unreadable.
        OutputError: there is no room for the copy.
    """
    try:
        temporary = tempfile.TemporaryDirectory(prefix="sslauth-", ignore_cleanup_errors=True)
    except OSError as error:
        raise _no_room(error) from error
    with temporary as place:
        copied, beside = Path(place) / NAME, Path(place) / "signature"
        try:
            copied.mkdir()
            beside.mkdir()
        except OSError as error:
            raise _no_room(error) from error
        digests = {name: _copy(folder / name, copied / name) for name in COVERED}
        yield Copy(copied, digests, beside)


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open_bounded(source, MOST_BYTES[source.name]) as (stream, size), target.open("xb") as copied:
            left = size
            while left:
                data = _read(stream, min(left, _CHUNK))
                digest.update(data)
                copied.write(data)
                left -= len(data)
    except FlawError as flaw:
        shown = quoted(str(source), longest=400)
        raise CardError(shown, flaw.field, flaw.reason, remedy=flaw.remedy) from None
    except OSError as error:
        raise _no_room(error) from error
    return digest.hexdigest()


def _read(stream: BinaryIO, most: int) -> bytes:
    try:
        data = stream.read(most)
    except OSError as error:
        raise FlawError("", f"cannot be read: {error.strerror}") from None
    if not data:
        raise FlawError("", "ends early: it is being changed")
    return data


def _no_room(error: OSError) -> OutputError:
    return OutputError(
        f"cannot copy the card to {tempfile.gettempdir()}: {error.strerror or type(error).__name__}",
        remedy="make room there, or set TMPDIR",
    )
