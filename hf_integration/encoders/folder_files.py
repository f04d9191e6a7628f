"""The files of an encoder's folder, looked at before anything opens them: regular, and of a bounded size.

Libraries open what they find. A FIFO in the place of a settings file lets them wait for ever, a link to a
device lets them read without end, and both look like any other name in a listing.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from hf_integration.base.files import open_bounded, read_exactly
from hf_integration.encoders.json_files import MAX_BYTES
from hf_integration.errors import EncoderError
from hf_integration.flaw import FlawError
from hf_integration.snapshot import MODULES, MOST_LOOKED_AT, encoder_files, local_names, module_folders


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
        EncoderError: one of them is no regular file, or larger than any genuine one.
    """
    check_regular(folder / MODULES)
    folders = module_folders(_content(folder / MODULES))
    names = local_names(folder)
    entries = [*names, *_folders_in(folder, folders)]
    used = encoder_files(entries, folders)
    for name in used:
        check_regular(folder / name)
    return FolderFiles(names, used, all_seen=len(names) < MOST_LOOKED_AT)


def check_regular(path: Path) -> None:
    """Check that a file is regular and, weights aside, no larger than any genuine one; links are followed.

    Nothing is opened, as that alone can have effects.

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
    if found.st_size > MAX_BYTES and path.suffix != ".safetensors":
        raise EncoderError(
            f"{path}: {found.st_size} bytes, more than {MAX_BYTES}", remedy="no genuine one is so large"
        )


def _content(path: Path) -> bytes | None:
    if not path.exists():
        return None
    try:
        with open_bounded(path, MAX_BYTES) as (stream, size):
            return bytes(read_exactly(stream, size))
    except FlawError:  # said when it is read for good
        return None


def _leads_to_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in circles, which is among the files
        return False


def _folders_in(folder: Path, within: frozenset[str]) -> list[str]:
    """Folders that bear the name of a file: a loader would try to open them."""
    return [
        f"{inner}/{entry.name}" if inner else entry.name
        for inner in within
        if (folder / inner).is_dir()
        for entry in os.scandir(folder / inner)
        if _leads_to_folder(entry)
    ]
