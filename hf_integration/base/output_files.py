"""Writing files: never in place of what is read, all or nothing."""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hf_integration.base.errors import OutputError
from hf_integration.base.text import quoted

MOST_LINKS = 40
"""Links that are followed one by one, as many as systems follow."""

_OPEN_FILE = re.compile(r"/(?:dev|proc/(self|thread-self|[0-9]+)(?:/task/[0-9]+)?)/fd/([0-9]{1,6})")
"""An open file of a process, which looks like a link to what was opened."""

ELSEWHERE = "choose another place"
"""The remedy where a file system refuses."""


def write_whole(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file so that it never holds half of the content; devices and pipes are written straight.

    Args:
        path: the file.
        content: all of it.
        secret: whether it is for its owner only.

    Raises:
        OutputError: the folder is missing, not writable, or the disk is full.
    """
    try:
        if _is_stream(path):
            _write_through(path, content)
            return
        path = _target(path)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            if not secret:
                Path(name).chmod(0o666 & ~_umask())  # mkstemp gives a file that only its owner may read
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}", remedy=ELSEWHERE) from error


def _is_stream(path: Path) -> bool:
    """Whether a name stands for something that is open already, or for a device or a pipe.

    ``/dev/stdout`` is a link, perhaps to a regular file that a shell opened: it is written to, and neither
    the link nor the file is replaced.
    """
    return _open_file(path) is not None or (path.exists() and not path.is_file())


def _open_file(path: Path) -> re.Match[str] | None:
    """The open file that a name stands for, if it stands for one."""
    place = path
    for _ in range(MOST_LINKS):
        if found := _OPEN_FILE.fullmatch(str(place)):
            return found
        if not place.is_symlink():
            return None
        place = Path(os.path.abspath(place.parent / place.readlink()))  # noqa: PTH100  # links one by one
    return None


def _write_through(path: Path, content: bytes) -> None:
    """Write behind what was written there before, by the same open file where it is one of this process."""
    found = _open_file(path)
    mine = found is not None and found[1] in (None, "self", "thread-self", str(os.getpid()))
    opened = os.dup(int(found[2])) if found and mine else os.open(path, os.O_WRONLY | os.O_APPEND)
    with os.fdopen(opened, "wb") as stream:
        stream.write(content)


def _target(path: Path) -> Path:
    """What is to be replaced: a link stays, and what it leads to is replaced.

    Raises:
        OSError: a link that the system does not follow: in circles, or one that somebody else put into a
            folder where everybody may write.
    """
    if path.is_symlink():
        with contextlib.suppress(FileNotFoundError):  # what it leads to is still to be made
            os.close(os.open(path, os.O_WRONLY))
    return Path(os.path.realpath(path))


def check_own(path: Path) -> None:
    """Refuse a name that was chosen here, and not by the caller, where something else than a file has it.

    Whoever may write in a folder of reports must not choose by a link where they go.

    Raises:
        OutputError: a link, a folder, a device or a pipe has the name.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OutputError(f"cannot write {path}: it is no regular file", remedy="remove it")


def check_file(path: Path) -> None:
    """Find out before the work, not after it, that a file could not be written.

    Raises:
        OutputError: it is a folder, a link that is not followed, or its folder is missing or not writable.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder", remedy="name a file in it")
    try:
        folder = (path if _is_stream(path) else _target(path)).parent
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}", remedy=ELSEWHERE) from error
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}", remedy="make it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise OutputError(f"cannot write {path}: permission denied", remedy=ELSEWHERE)


def check_apart(path: Path, *places: Path) -> None:
    """Refuse to write a report over what was read: it would replace what it reports on, or a key.

    Args:
        path: the file to write; a device or a pipe replaces nothing.
        places: files and folders, by whatever names and links.

    Raises:
        OutputError: the file is one of these files, or would lie in one of these folders.
    """
    if path.exists() and not path.is_file():
        return
    for place in places:
        if place.is_dir():
            # unlike resolve() this stops at links that lead in circles
            if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(place)):
                raise OutputError(
                    f"cannot write {path}: it lies in {place}, which this command reads or writes",
                    remedy=ELSEWHERE,
                )
        elif _same_file(path, place):
            raise OutputError(
                f"cannot write {path}: it is {place}, which this command reads or writes", remedy=ELSEWHERE
            )


def _same_file(path: Path, other: Path) -> bool:
    """Whether two names mean one file, which hard links may do, or would if it were there."""
    with contextlib.suppress(OSError, ValueError):
        return path.samefile(other)
    try:
        return os.path.realpath(path) == os.path.realpath(other)
    except ValueError:  # a NUL character
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def free_folder(out: Path) -> Path:
    """Where a new folder is made, once it is known that nothing lies there.

    Raises:
        OutputError: something does, or it is no path.
    """
    shown = quoted(str(out), longest=400)
    try:
        target = out.resolve()
        taken = os.path.lexists(out) or os.path.lexists(target)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"not a usable path: {shown}") from error
    if taken:
        raise OutputError(f"{shown} exists already", remedy=ELSEWHERE)
    return target


@contextmanager
def in_words(out: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line.

    Raises:
        OutputError: it refused.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {quoted(str(out), longest=400)}: {error.strerror or type(error).__name__}",
            remedy=ELSEWHERE,
        ) from error


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
