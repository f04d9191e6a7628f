"""What a commit holds: every file's name, size and digest, as the Hub says or as the cache remembers."""

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from hf_integration.base.errors import IntegrityError
from hf_integration.snapshot.hub_errors import COMMIT, HubUnreachableError, hub_errors
from hf_integration.snapshot.transport import CHECK_THE_WAY, bounded_pages

MOST_FILES = 20_000
"""Files of a repository; the largest on the Hub that hold encoders have some hundred."""

MOST_ENTRIES = 2 * MOST_FILES
"""Files and folders."""

MOST_BYTES = 64 << 20
FORMAT_VERSION = 1
"""Of listings in the client's cache, and the largest that is read."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_OID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class RepoFile:
    """A file of a commit.

    Attributes:
        name: path within the repo, with forward slashes.
        size: bytes.
        git_oid: SHA-1 of git's blob: of the file itself, or of its pointer where ``sha256`` is given.
        sha256: of the content, for files that are stored as LFS or Xet objects.
    """

    name: str
    size: int
    git_oid: str
    sha256: str | None = None


def list_files(
    repo: str, commit: str, *, ask: bool = True, token: str | None, cache_dir: str | Path | None
) -> tuple[RepoFile, ...]:
    """List the files of a commit.

    A commit never changes, so what an earlier download noted of it in the cache is as good as asking again,
    unless somebody lied then. A new listing is noted there before anything is fetched: the client would ask
    for one of its own, and nobody would look at that.

    Args:
        repo: repo id.
        commit: 40 hexadecimal digits.
        ask: ask the Hub first; else only where the cache does not know.
        token: Hub token.
        cache_dir: Hub cache.

    Raises:
        EncoderError: no such repo or commit.
        InconclusiveError: no access, neither network nor cache, or a listing that takes too long.
        IntegrityError: a listing without end, a commit or digests that are none, or a name that leads outside
            the repository.
    """
    from huggingface_hub import HfApi

    folder = repo_cache(repo, cache_dir)
    _place(folder, commit)  # before anything is asked for, or noted under that name
    files = [] if ask else _noted(folder, commit)
    listed: list[Any] = []
    entries: list[Any] = []
    if not files:
        try:
            with hub_errors(repo, commit), bounded_pages(f"the listing of {repo} at {commit}"):
                tree = HfApi(token=token).list_repo_tree(repo, recursive=True, revision=commit)
                listed = list(islice(tree, MOST_ENTRIES + 1))
                entries = [entry for entry in listed if hasattr(entry, "size")]
                files = [_file(entry) for entry in entries]
        except HubUnreachableError:
            files = _noted(folder, commit) or _linked(folder / "snapshots" / commit)
            if not files:
                raise
    if len(listed) > MOST_ENTRIES:  # what follows was not looked at
        raise IntegrityError(
            f"{repo} at {commit} lists more than {MOST_ENTRIES} files and folders",
            remedy="no encoder needs so many",
        )
    if len(files) > MOST_FILES:
        raise IntegrityError(
            f"{repo} at {commit} lists more than {MOST_FILES} files", remedy="no encoder needs so many"
        )
    for file in files:
        if (flaw := _flaw(file)) is not None:
            raise IntegrityError(
                f"{repo} at {commit}: the listing holds {flaw}: {str(file.name)[:80]!r}",
                remedy=CHECK_THE_WAY,
            )
    if entries:
        _note(folder, commit, entries)
    return tuple(files)


def repo_cache(repo: str, cache_dir: str | Path | None) -> Path:
    """The folder of a repository in the Hub's cache."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    root = Path(cache_dir) if cache_dir is not None else Path(constants.HF_HUB_CACHE)
    return root.expanduser().resolve() / repo_folder_name(repo_id=repo, repo_type="model")


def forget(folder: Path, commit: str) -> None:
    """Drop the listing of a commit from the cache of its repository, as far as it can be written.

    Raises:
        IntegrityError: that is no commit.
    """
    listing = _place(folder, commit)
    with contextlib.suppress(OSError):
        listing.unlink()


def _place(folder: Path, commit: str) -> Path:
    """Where the client keeps the listing of a commit; what a server calls so may lead anywhere.

    Raises:
        IntegrityError: it is no commit.
    """
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise IntegrityError(
            f"not a commit: {str(commit)[:80]!r}",
            remedy=CHECK_THE_WAY,
        )
    return folder / "trees" / f"{commit}.json"


def _file(entry: Any) -> RepoFile:
    """A file of the client's; a server or an edited cache may have made up what it says."""
    lfs = entry.lfs
    return RepoFile(entry.path, entry.size, entry.blob_id, lfs.sha256 if lfs is not None else None)


def _noted(folder: Path, commit: str) -> list[RepoFile]:
    """The listing that the client keeps in its cache, if there is one.

    Its own function for this, ``get_cached_repo_tree``, leaves the SHA-256 out.
    """
    listing = _place(folder, commit)
    try:
        if listing.stat().st_size > MOST_BYTES:
            return []
        content = json.loads(listing.read_text("utf-8"))
        if content["format_version"] != FORMAT_VERSION:
            return []
        return [
            RepoFile(name, entry["size"], entry["blob_id"], entry.get("lfs_sha256"))
            for name, entry in content["files"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _note(folder: Path, commit: str, entries: Sequence[Any]) -> None:
    """Keep a listing as the client keeps it, where this version of the client has a place for it."""
    try:
        from huggingface_hub._tree_cache import TreeCacheEntry, write_tree_cache
    except ImportError:
        return
    noted = {}
    for entry in entries:
        lfs, xet = entry.lfs, getattr(entry, "xet_hash", None)
        sha256, size = (lfs.sha256, lfs.size) if lfs is not None else (None, None)
        noted[entry.path] = TreeCacheEntry(entry.size, entry.blob_id, sha256, size, xet)
    _place(folder, commit)
    write_tree_cache(str(folder), commit, noted)


def _linked(folder: Path) -> list[RepoFile]:
    """Files that were cached one by one, without a listing: they are links to blobs named by digest."""
    files = []
    for path in islice(sorted(folder.rglob("*")), MOST_FILES + 1):
        blob = path.resolve()
        digest = blob.name
        if path.is_symlink() and (_SHA256.fullmatch(digest) or _GIT_OID.fullmatch(digest)):
            # a link to nothing is a file that was put aside: the encoder has it, and this cache does not
            name, size = path.relative_to(folder).as_posix(), blob.stat().st_size if blob.is_file() else 0
            sha256 = digest if _SHA256.fullmatch(digest) else None
            files.append(RepoFile(name, size, digest if sha256 is None else "0" * 40, sha256))
    return files


def _flaw(file: RepoFile) -> str | None:
    if not isinstance(file.name, str) or not file.name or "\\" in file.name or "\0" in file.name:
        return "a file name that is none"
    parts = PurePosixPath(file.name)
    if parts.is_absolute() or ".." in parts.parts:
        return "a file name that leads outside the repository"
    if type(file.size) is not int or file.size < 0:
        return "a size that is none"
    if not isinstance(file.git_oid, str) or not _GIT_OID.fullmatch(file.git_oid):
        return "a digest that is none"
    if file.sha256 is not None and not (isinstance(file.sha256, str) and _SHA256.fullmatch(file.sha256)):
        return "a digest that is none"
    return None
