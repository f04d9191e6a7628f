"""Opening files of unknown origin: regular files of a bounded size only, read to the byte."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hf_integration.base.errors import FlawError

# without O_NONBLOCK, opening a FIFO that nobody writes to would wait for ever
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def open_bounded(path: Path, most: int) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file of at most ``most`` bytes.

    Symbolic links are followed: the Hub's cache is made of them.

    Yields:
        The open file, and its size in bytes.

    Raises:
        FlawError: it is missing, not a regular file, empty, too large, or unreadable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a device can have effects of its own
            raise FlawError("", "not a regular file")
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise FlawError("", "the file is missing") from None
    except OSError as error:
        raise FlawError("", f"cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise FlawError("", "not a regular file")
        if not 0 < found.st_size <= most:
            raise FlawError("", f"{found.st_size} bytes; it may have 1 to {most}")
        yield stream, found.st_size


def read_exactly(stream: BinaryIO, size: int) -> bytearray:
    """Read that many bytes, no matter whether the file changes meanwhile.

    Raises:
        FlawError: it ends before, or cannot be read.
    """
    data = bytearray(size)
    view, place = memoryview(data), 0
    try:
        while place < size:
            count = stream.readinto(view[place:])  # type: ignore[attr-defined]  # of every binary file
            if not count:
                raise FlawError("", f"ends after {place} of {size} bytes")
            place += count
    except OSError as error:
        raise FlawError("", f"cannot be read: {error.strerror}") from None
    return data


def sha256_of(path: Path) -> str:
    """SHA-256 in hexadecimal of a regular file, which may be empty or large; links are followed.

    Raises:
        FlawError: it is missing, not a regular file, or unreadable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FlawError("", "not a regular file")
        with os.fdopen(os.open(path, _FLAGS), "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise FlawError("", "the file is missing") from None
    except OSError as error:
        raise FlawError("", f"cannot be read: {error.strerror}") from None
