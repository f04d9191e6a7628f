"""The files of an encoder's folder, looked at before anything opens them: regular, and of a bounded size.

Libraries open what they find. A FIFO in the place of a settings file lets them wait for ever, a link to a
device lets them read without end, and both look like any other name in a listing.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.encoders.files.json_values import MAX_BYTES, check_values
from hf_integration.snapshot import (
    CHAT_TEMPLATES,
    MODULES,
    MOST_LOOKED_AT,
    encoder_files,
    folders_read,
    local_names,
    module_folders,
)

MOST_LINES = 4_000_000
"""Of a vocabulary in lines; the largest in use has 0.9 million."""

LARGEST_VOCABULARY = 64 << 20
"""Bytes of a vocabulary in a format of its own; the largest in use takes 18 MB."""

_WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class FolderFiles:
    """What lies in a folder.

    Attributes:
        names: every file below it, up to a number.
        used: those that belong to the encoder.
        all_seen: whether ``names`` are all that there are.
    """

    names: tuple[str, ...]
    used: tuple[str, ...]
    all_seen: bool


def files_of(folder: Path) -> FolderFiles:
    """List a folder, and check every file that a loader of the encoder may open.

    Raises:
        EncoderError: one of them is no regular file, or larger than any genuine one in bytes or in structure,
            or no folder is where one belongs.
    """
    check_file(folder / MODULES)
    folders = module_folders(_content(folder / MODULES), lambda name: _checked_content(folder / name))
    for inner in (*sorted(folders), CHAT_TEMPLATES):
        if os.path.lexists(folder / inner) and not (folder / inner).is_dir():
            raise EncoderError(
                f"{folder / inner}: not a folder", remedy="get the folder again from its publisher"
            )
    names = local_names(folder)
    beside = set(names)
    # folders among them: a loader would try to open one that bears the name of a file
    entries = [*names, *(name for name in _entries(folder, folders) if name not in beside)]
    used = encoder_files(entries, folders)
    for name in used:
        check_file(folder / name)
    return FolderFiles(names, used, all_seen=len(names) < MOST_LOOKED_AT)


def check_file(path: Path) -> None:
    """Check that a file is regular and, weights aside, no larger than any genuine one; links are followed.

    Nothing but a regular file is opened, as that alone can have effects. What a library would need memory for
    is counted: it parses a file before it says what it thinks of it.

    Raises:
        EncoderError: it is not.
    """
    if not os.path.lexists(path):
        return
    try:
        found = path.stat()
    except OSError as error:  # a link that leads nowhere, or in circles
        raise EncoderError(
            f"{path}: cannot be read: {error.strerror}", remedy="get the file again"
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise EncoderError(f"{path}: not a regular file", remedy="get the folder again from its publisher")
    if path.suffix == _WEIGHTS or not found.st_size:
        return
    try:
        count = _COUNTED.get(path.suffix)
        with open_bounded(path, MAX_BYTES if count else LARGEST_VOCABULARY) as (stream, size):
            if count:
                count(read_exactly(stream, size))
    except FlawError as flaw:
        raise EncoderError(f"{path}: {flaw}", remedy="get the file again from its publisher") from None


def _check_lines(data: bytearray) -> None:
    if data.count(b"\n") > MOST_LINES:
        raise FlawError("", f"more than {MOST_LINES} lines")


_COUNTED: Mapping[str, Callable[[bytearray], None]] = {".json": check_values, ".txt": _check_lines}
"""Endings of files whose structure is known, with what counts it."""


def _content(path: Path) -> bytes | None:
    if not path.exists():
        return None
    try:
        with open_bounded(path, MAX_BYTES) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError:  # said when it is read for good
        return None


def _checked_content(path: Path) -> bytes | None:
    check_file(path)
    return _content(path)


def _entries(folder: Path, within: frozenset[str]) -> Iterator[str]:
    """Everything in the folders that loaders look into, also behind a link and however much there is."""
    for inner in folders_read(within):
        with suppress(OSError):  # no such folder, or none that may be read: no library can either
            for path in sorted((folder / inner).iterdir()):
                yield f"{inner}/{path.name}" if inner else path.name


_FIRST_LINE = b"version https://git-lfs.github.com/spec/v1"
_LONGEST = 1024
"""Bytes of a pointer file, by the format's own rules."""


def refuse_pointers(folder: Path, names: Iterable[str]) -> None:
    """Say that files were not fetched, before a reader says that they are damaged.

    Args:
        folder: where they are.
        names: relative to it.

    Raises:
        EncoderError: one of them is a pointer.
    """
    if pointers := [name for name in names if _is_pointer(folder / name)]:
        more = f" and {len(pointers) - 1} more" if len(pointers) > 1 else ""
        raise EncoderError(
            f"{folder / pointers[0]}{more}: a Git LFS pointer, not the file itself",
            remedy="run 'git lfs pull' in the clone",
        )


def _is_pointer(path: Path) -> bool:
    try:
        # a regular file only: whatever else has the name is refused by what reads it
        if not path.is_file() or path.stat().st_size > _LONGEST:
            return False
        return path.read_bytes().startswith(_FIRST_LINE)
    except OSError:
        return False
