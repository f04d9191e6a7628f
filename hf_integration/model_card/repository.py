"""A Hub repository at one commit: what it lists, and verified bytes of a few of its files."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hf_integration.base.errors import ModelCardError
from hf_integration.snapshot.hub import fetch
from hf_integration.snapshot.listing import RepoFile, list_files
from hf_integration.snapshot.selection import SHARDS, WEIGHTS

README = "README.md"
MOST_README_BYTES = 8 << 20


@dataclass(frozen=True)
class RepoCommit:
    """A commit of a repository.

    Attributes:
        repo: repo id.
        commit: 40 hexadecimal digits.
        files: what it holds, by name.
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.
    """

    repo: str
    commit: str
    files: Mapping[str, RepoFile]
    token: str | None = None
    cache_dir: Path | None = None

    @classmethod
    def listed(
        cls,
        repo: str,
        commit: str,
        *,
        ask: bool = True,
        token: str | None = None,
        cache_dir: Path | None = None,
    ) -> "RepoCommit":
        """Ask the Hub what a commit holds.

        Args:
            repo: repo id.
            commit: 40 hexadecimal digits.
            ask: ask the Hub first; else only where the cache does not know.
            token: Hub token, if not the saved one.
            cache_dir: Hub cache, if not the usual one.

        Raises:
            EncoderError: no such repo or commit.
            InconclusiveError: the Hub cannot be asked.
            IntegrityError: a listing that cannot be.
        """
        files = list_files(repo, commit, ask=ask, token=token, cache_dir=cache_dir)
        return cls(repo, commit, {file.name: file for file in files}, token, cache_dir)

    def __str__(self) -> str:
        return f"{self.repo} at {self.commit}"

    def weights(self) -> dict[str, RepoFile]:
        """Weight files as encoders are loaded from them."""
        return {
            name: file
            for name, file in self.files.items()
            if PurePosixPath(name).name == WEIGHTS or PurePosixPath(name).match(SHARDS)
        }

    def fetch(self, names: Iterable[str]) -> Path:
        """Fetch files and verify their bytes.

        Returns:
            The folder that they lie below, under their names.

        Raises:
            InconclusiveError: the Hub cannot be asked.
            IntegrityError: other bytes than the commit's.
        """
        wanted = [self.files[name] for name in names if name in self.files]
        return fetch(self.repo, self.commit, wanted, token=self.token, cache_dir=self.cache_dir)

    def readme(self) -> bytes:
        """The model card; empty where there is none.

        Raises:
            ModelCardError: it is too large to be read.
            InconclusiveError: the Hub cannot be asked.
        """
        file = self.files.get(README)
        if file is None:
            return b""
        if file.size > MOST_README_BYTES:
            raise ModelCardError(f"{self}: a {README} of {file.size} bytes, more than {MOST_README_BYTES}")
        return (self.fetch([README]) / README).read_bytes()


def weights_changed(before: RepoCommit, after: RepoCommit) -> tuple[str, ...] | None:
    """Weight files whose bytes differ between two commits, going by their digests.

    Returns:
        Their names, or ``None`` where nothing is known to differ and digests of two kinds cannot be compared:
        a file that moved into large storage, or a listing that is remembered and lacks one.
    """
    old, new = before.weights(), after.weights()
    changed, comparable = [], True
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was is None or now is None or was.size != now.size:
            changed.append(name)
        elif (was.sha256 is None) != (now.sha256 is None):
            comparable = False
        elif (was.sha256 or was.git_oid) != (now.sha256 or now.git_oid):
            changed.append(name)
    return tuple(changed) if changed or comparable else None


def holds(file: RepoFile | None, content: bytes) -> bool:
    """Whether a file of a listing has this content."""
    if file is None or file.size != len(content):
        return False
    if file.sha256 is not None:
        return hashlib.sha256(content).hexdigest() == file.sha256
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest() == file.git_oid
