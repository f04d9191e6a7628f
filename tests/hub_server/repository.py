"""Repositories as the Hub keeps them: commits that point at files, and names that point at commits."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

LARGE_SUFFIXES = (".safetensors", ".bin", ".pt", ".onnx", ".npz", ".parquet", ".h5", ".png", ".jpg")
LARGE_SIZE = 10 * 2**20  # bytes


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def is_large(path: str, size: int) -> bool:
    """Whether the Hub keeps a file outside git (LFS)."""
    return path.lower().endswith(LARGE_SUFFIXES) or size > LARGE_SIZE


@dataclass(frozen=True)
class File:
    """One version of a file.

    Attributes:
        content: its bytes.
        large: kept as LFS: the commit holds a pointer, the bytes come from the second port.
    """

    content: bytes = field(repr=False)
    large: bool

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{self.sha256}")
        return "".join(f"{line}\n" for line in (*lines, f"size {len(self.content)}")).encode()

    @cached_property
    def oid(self) -> str:
        """What git calls it."""
        kept = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0" % len(kept) + kept, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.oid


@dataclass(frozen=True)
class Commit:
    """Files at one time; ``parent`` is empty for the first."""

    files: Mapping[str, File]
    title: str
    description: str
    parent: str
    date: str


@dataclass
class Repository:
    """A repository of one kind (``models``, ``datasets`` or ``spaces``), with an empty first commit."""

    kind: str
    name: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    discussions: list[dict[str, Any]] = field(default_factory=list)
    created: str = field(default_factory=now)

    def __post_init__(self) -> None:
        self.commit("main", {".gitattributes": File(b"", large=False)}, title="initial commit")

    def commit(
        self, branch: str, files: Mapping[str, File], *, title: str, description: str = "", parent: str = ""
    ) -> str:
        """Add a commit with exactly these files and let a branch, which may be new, point at it."""
        tree = sorted((path, file.oid) for path, file in files.items())
        text = json.dumps([tree, title, description, parent, len(self.commits)])
        name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[name] = Commit(dict(files), title, description, parent, now())
        self.branches[branch] = name
        return name

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, a tag, or a commit's name or its beginning stands for."""
        for names in (self.branches, self.tags):
            if revision in names:
                return names[revision]
        fitting = [name for name in self.commits if len(revision) >= 7 and name.startswith(revision)]
        return fitting[0] if len(fitting) == 1 else None

    def history(self, commit: str) -> Iterable[tuple[str, Commit]]:
        """A commit and its ancestors, the newest first."""
        while commit:
            yield commit, self.commits[commit]
            commit = self.commits[commit].parent
