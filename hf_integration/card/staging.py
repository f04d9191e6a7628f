"""Folders that appear whole or not at all: made under another name beside their place, then renamed."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def staging(target: Path, *, secret: bool) -> Iterator[Path]:
    """A temporary folder beside the target; it and the parents made for it are gone unless it was moved.

    Args:
        target: the name that the folder shall take in the end.
        secret: whether it is for its owner only.

    Raises:
        OSError: the file system refuses.
    """
    missing = [parent for parent in (target.parent, *target.parent.parents) if not parent.exists()]
    place = target.parent / f".{target.name[:100]}.{secrets.token_hex(8)}.part"
    try:
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
        place.mkdir(mode=0o700 if secret else 0o777)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        for parent in missing:
            with suppress(OSError):  # a parent that holds the finished card stays
                parent.rmdir()


def write_file(path: Path, data: bytes, *, secret: bool) -> None:
    """Write a new file to the disk.

    Raises:
        OSError: it exists, or the file system refuses.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600 if secret else 0o666), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk.

    Raises:
        OSError: the file system refuses.
    """
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
