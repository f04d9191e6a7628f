"""Are the bytes on this disk those of the commit? The Hub's client compares sizes only.

A file counts as untouched while size, modification time, change time, inode and device are those that were
noted. An edit in place that sets the modification time back still moves the change time, which nobody can
set but whoever sets the clock. The notes are only as safe as the cache beside them: who may write to either
is trusted with both, and the tensors that are loaded are compared with the card in any case.

Neither a transfer that was tampered with on its way nor a cached file that was edited in place shows to the
client. So every file is hashed before it is used: by SHA-256 where the commit holds that of the content, else
as git names blobs.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hf_integration.base.errors import IntegrityError
from hf_integration.snapshot.hub_errors import HubUnreachableError
from hf_integration.snapshot.listing import RepoFile, forget

MOST_BYTES = 4096


class Memo:
    """Notes of hashed files, one small file each, so that many processes can write them at once.

    Args:
        folder: where they lie; where it cannot be written nothing is noted, and files are hashed every time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def knows(self, path: Path, state: os.stat_result, digest: str) -> bool:
        """Whether a file had this digest when it was in this state."""
        note = self._place(path)
        try:
            if note.stat().st_size > MOST_BYTES:
                return False
            known = json.loads(note.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return False
        return bool(known == self._content(path, state, digest))

    def note(self, path: Path, state: os.stat_result, digest: str) -> None:
        """Note a digest, unless the file was touched since it was in that state."""
        if not _same(path.stat(), state):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(self._content(path, state, digest), stream)
                Path(name).replace(self._place(path))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def _place(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.json"

    @staticmethod
    def _content(path: Path, state: os.stat_result, digest: str) -> dict[str, str | int]:
        return {
            "path": str(path),
            "digest": digest,
            "size": state.st_size,
            "mtime_ns": state.st_mtime_ns,
            "ctime_ns": state.st_ctime_ns,
            "inode": state.st_ino,
            "device": state.st_dev,
        }


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    fields = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


BLOCK = 1 << 20


def verify_files(folder: Path, files: Sequence[RepoFile], *, repo: str, commit: str, memo: Memo) -> None:
    """Hash files of a snapshot, unless they were hashed before and nobody touched them since.

    Args:
        folder: the snapshot.
        files: those that will be used, with the digests of the commit.
        repo: for messages.
        commit: for messages.
        memo: what was hashed before.

    Raises:
        IntegrityError: other bytes than the commit's.
        HubUnreachableError: a file is not there.
    """
    refused = []
    for file in files:
        path = folder / file.name
        try:
            state = path.stat()  # first: of a link to itself no path can be resolved
            real = path.resolve()
            flaw = _flaw(real, state, file, memo)
        except OSError as error:
            raise HubUnreachableError(
                f"{repo} at {commit}: {file.name} cannot be read: {error.strerror}",
                remedy=f"delete {folder.parent.parent} and download it again",
            ) from error
        if flaw:
            message = f"{repo} at {commit}: {file.name} is not the commit's: {flaw}"
            refused.append(_refused(message, folder, real))
    if refused:  # all of them were put aside, so that trying again fetches all of them anew
        raise refused[0]


def _flaw(real: Path, state: os.stat_result, file: RepoFile, memo: Memo) -> str:
    """What is wrong with a file's bytes, or an empty string."""
    wanted = file.sha256 or file.git_oid
    if not stat.S_ISREG(state.st_mode):  # an empty file has the size of a pipe
        return "not a regular file"
    if state.st_size != file.size:
        return f"{state.st_size} bytes, not {file.size}"
    if memo.knows(real, state, wanted):
        return ""
    found = sha256_of(real) if file.sha256 else git_oid_of(real, file.size)
    if found != wanted:
        kind = "SHA-256" if file.sha256 else "git's SHA-1"
        return f"{kind} {found}, not {wanted}"
    memo.note(real, state, wanted)
    return ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_oid_of(path: Path, size: int) -> str:
    """The name that git gives a file's content: SHA-1 over a header and the content, in hexadecimal."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _refused(message: str, folder: Path, real: Path) -> IntegrityError:
    """Put the bytes aside, where no other program takes them for the commit's, and say so."""
    cache = folder.parent.parent
    remedy = f"delete {cache} and try again"
    if real.is_relative_to(cache.resolve()):
        aside = real.with_name(f"{real.name}.refused")
        with contextlib.suppress(OSError):
            real.replace(aside)
            forget(cache, folder.name)  # which of the two was wrong is not known
            remedy = f"it was moved to {aside}: try again"
    return IntegrityError(
        message, remedy=f"{remedy}; if it happens again, do not trust the network in between"
    )
