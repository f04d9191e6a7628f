"""Are the bytes on this disk those of the commit? The Hub's client compares sizes only.

Neither a transfer that was tampered with on its way nor a cached file that was edited in place shows to the
client. So every file is hashed before it is used: by SHA-256 where the commit holds that of the content, else
as git names blobs.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from hf_integration.errors import IntegrityError
from hf_integration.snapshot.hub_errors import HubUnreachableError
from hf_integration.snapshot.listing import RepoFile, forget
from hf_integration.snapshot.memo import Memo

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
