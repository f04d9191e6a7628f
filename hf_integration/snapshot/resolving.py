"""Resolve a reference: a local folder wins, else a Hub repo at one commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_integration.errors import EncoderError, UsageError
from hf_integration.snapshot import hub

# Weights as safetensors only, and no code: what is not fetched cannot be loaded by mistake.
ENCODER_FILES: tuple[str, ...] = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.codes")


@dataclass(frozen=True)
class Snapshot:
    """A folder that holds what a reference named.

    Attributes:
        path: the folder.
        repo: Hub repo id, or ``None`` for a local folder.
        commit: Hub commit, or ``None`` for a local folder.
    """

    path: Path
    repo: str | None = None
    commit: str | None = None


def resolve(
    reference: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    allow_patterns: Sequence[str] = ENCODER_FILES,
) -> Snapshot:
    """Find the folder of a reference, downloading it if it is a Hub repo.

    Args:
        reference: a folder, or a Hub repo id (``org/name``).
        revision: branch, tag or commit of a repo.
        token: Hub token; by default the one that was saved by logging in.
        cache_dir: Hub cache.
        allow_patterns: files of a repo that are fetched.

    Raises:
        EncoderError: no such folder, repo or revision, or a malformed repo id.
        UsageError: a revision of a local folder.
        InconclusiveError: the Hub could not be asked: no network, no access.
    """
    if not reference.strip():
        raise EncoderError("no encoder is named", remedy="give a folder or a Hub repo id")
    path = Path(reference).expanduser()
    if path.is_dir():
        if revision is not None:
            raise UsageError(
                f"{reference} is a local folder, which has no revision {revision!r}",
                remedy="leave the revision out, or give a Hub repo id",
            )
        return Snapshot(path)
    if path.exists():
        raise EncoderError(f"{reference} is a file", remedy="give the folder that holds it")
    if _looks_like_a_path(reference):
        raise EncoderError(f"{reference}: no such folder", remedy="check the path")
    commit = hub.resolve_commit(reference, revision=revision, token=token, cache_dir=cache_dir)
    folder = hub.download(reference, commit, token=token, cache_dir=cache_dir, allow_patterns=allow_patterns)
    return Snapshot(folder, repo=reference, commit=commit)


def _looks_like_a_path(reference: str) -> bool:
    return reference.startswith((".", "/", "~", "\\")) or Path(reference).is_absolute() or "\\" in reference
