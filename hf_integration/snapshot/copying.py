"""Copying the files of an encoder: those that it is loaded from, as real files, and nothing else."""

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from hf_integration.base.errors import EncoderError, OutputError
from hf_integration.base.text import quoted
from hf_integration.snapshot.resolving import Snapshot


def copy_files(snapshot: Snapshot, names: Iterable[str], target: Path) -> None:
    """Copy files by name, with links resolved.

    Raises:
        EncoderError: one is not a regular file, or a link that leads out of the folder.
        OutputError: there is no room for them.
    """
    for name in names:
        source = snapshot.path / name
        check_source(snapshot, name)
        place = target / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            with place.open("rb+") as copied:
                os.fsync(copied.fileno())
        except OSError as error:
            raise OutputError(
                f"cannot copy {quoted(name)}: {error.strerror or type(error).__name__}",
                remedy="choose another output",
            ) from error


def check_source(snapshot: Snapshot, name: str) -> None:
    """Refuse what is no file, and a link by which a stranger's folder would pick up a file of this machine.

    The Hub's cache links every file to its own folder of blobs.

    Raises:
        EncoderError: it is one of these.
    """
    source, shown = snapshot.path / name, quoted(name)
    try:
        real = source.resolve(strict=True)
        regular = stat.S_ISREG(real.stat().st_mode)
    except (OSError, RuntimeError) as error:
        raise EncoderError(f"{shown} cannot be read: {error}", remedy="check the folder") from error
    if not regular:
        raise EncoderError(f"{shown} is not a regular file", remedy="check the folder")
    folder = snapshot.path.resolve()
    blobs = folder.parent.parent / "blobs"
    if not any(real.is_relative_to(place) for place in (folder, blobs)):
        raise EncoderError(
            f"{shown} is a link that leads out of the encoder's folder", remedy="put the file itself there"
        )
