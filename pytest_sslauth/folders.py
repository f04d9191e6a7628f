"""Whether files that were read are what they were: cheaply in one process, by their bytes across several."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def fingerprint(places: Iterable[Path | None]) -> object:
    """What changes whenever one of these files, or a file below these folders, changes: never looked into.

    Size, modification time and inode survive an edit in place that sets the time back, the change time does
    not. It decides only whether an earlier check may be reused; equal to nothing if a place is unreadable.
    """
    seen = []
    try:
        for place in places:
            for path in _everything_below(place) if place is not None else ():
                stat = path.stat()
                seen.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    except OSError:
        return object()
    return tuple(seen)


def content_digest(places: Iterable[Path | None]) -> str:
    """SHA-256 of all names and bytes of these files, and of the files below these folders.

    Raises:
        OSError: one of them cannot be read.
    """
    whole = hashlib.sha256()
    for place in places:
        for path in _everything_below(place) if place is not None else ():
            whole.update(f"{path}\0".encode("utf-8", "surrogateescape"))
            if path.is_file():  # a pipe would never end
                with path.open("rb") as stream:
                    whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _everything_below(folder: Path) -> Iterator[Path]:
    """Files and folders, also behind links to folders; each folder once, as links may lead in circles."""
    if folder.is_file():
        yield folder
        return
    entered = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        if (real := os.path.realpath(root)) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders.sort()
        yield from (Path(root, name) for name in sorted((*folders, *files)))


def _raise(error: OSError) -> None:
    raise error
