"""Pointer files of Git LFS: what a clone without it holds in place of the large files."""

from collections.abc import Iterable
from pathlib import Path

from hf_integration.errors import EncoderError

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
