"""The Hub's part: a revision becomes a commit first, then files of that commit are fetched and verified.

huggingface_hub is imported when it is needed: a local folder needs none of it.
"""

import glob
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError, InconclusiveError, UsageError
from hf_integration.snapshot.hub_errors import COMMIT, HubBusyError, hub_errors
from hf_integration.snapshot.listing import RepoFile, repo_cache
from hf_integration.snapshot.verification import Memo, verify_files

PAUSES = (1, 3)
"""Seconds between asking for a commit again: the client itself tries files again, but not this."""

_REVISION = re.compile(r"(?!.*\.\.)(?!/)[^\s\\:?*\[~^\x00-\x1f\x7f]{1,255}")
"""What git takes for a branch or tag, roughly: the cache has a file of that name."""


@dataclass(frozen=True)
class Resolved:
    """What a revision names.

    Attributes:
        commit: 40 hexadecimal digits.
        answered: whether the Hub said so just now, and not the caller or the cache.
    """

    commit: str
    answered: bool


def resolve_commit(
    repo: str, *, revision: str | None, token: str | None, cache_dir: str | Path | None
) -> str:
    """The commit that :func:`resolve_revision` finds."""
    return resolve_revision(repo, revision=revision, token=token, cache_dir=cache_dir).commit


def resolve_revision(
    repo: str, *, revision: str | None, token: str | None, cache_dir: str | Path | None
) -> Resolved:
    """The commit that a revision names now, or named when it was last cached if the Hub is out of reach.

    Raises:
        EncoderError: malformed repo id, or no such repo or revision.
        InconclusiveError: no access, or neither network nor cache.
        UsageError: a revision that git would not take.
    """
    _check_repo_id(repo)
    if revision is not None and COMMIT.fullmatch(revision):
        return Resolved(revision, answered=False)
    if revision is not None and not _REVISION.fullmatch(revision):
        raise UsageError(f"{revision!r} is no revision", remedy="give a branch, a tag or a commit")
    for pause in PAUSES:
        try:
            return _asked_commit(repo, revision, token, cache_dir)
        except HubBusyError:
            time.sleep(pause)
    return _asked_commit(repo, revision, token, cache_dir)


def _asked_commit(
    repo: str, revision: str | None, token: str | None, cache_dir: str | Path | None
) -> Resolved:
    from huggingface_hub import HfApi, errors

    answers = []

    class Asking(HfApi):
        """The client falls back on its cache without saying so."""

        def repo_info(self, *arguments: Any, **options: Any) -> Any:
            answers.append(super().repo_info(*arguments, **options))
            return answers[-1]

    with hub_errors(repo, revision):
        try:
            found = Asking(token=token).resolve_revision(repo, revision=revision, cache_dir=cache_dir)
        except errors.RevisionResolutionError as error:
            raise error.__cause__ or error from None
    commit = found.resolved
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise InconclusiveError(f"the Hub names no commit for {repo}", remedy="give a commit as the revision")
    return Resolved(commit, answered=bool(answers))


def fetch(
    repo: str, commit: str, files: Sequence[RepoFile], *, token: str | None, cache_dir: str | Path | None
) -> Path:
    """Fetch files of a commit into the cache, or take them from there, and verify their bytes.

    Args:
        repo: repo id.
        commit: the commit that the files were listed of.
        files: what is wanted.
        token: Hub token.
        cache_dir: Hub cache.

    Returns:
        The snapshot's folder.

    Raises:
        EncoderError: no such repo or commit.
        InconclusiveError: no access, or neither network nor cache.
        IntegrityError: other bytes than the commit's.
        OutputError: the cache cannot be written.
    """
    from huggingface_hub import constants, snapshot_download

    with hub_errors(repo, commit), only_in_a_terminal():
        snapshot = repo_cache(repo, cache_dir) / "snapshots" / commit
        cached = bool(files) and all((snapshot / file.name).exists() for file in files)
        folder = snapshot_download(
            repo,
            revision=commit,
            token=token,
            cache_dir=cache_dir,
            allow_patterns=[glob.escape(file.name) for file in files],
            local_files_only=cached,  # or the client asks an absent Hub again and again, for 23 seconds
        )
    memo = Memo(Path(constants.HF_HOME) / "sslauth" / "verified")
    verify_files(Path(folder), files, repo=repo, commit=commit, memo=memo)
    return Path(folder)


def _check_repo_id(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise EncoderError(
            f"{repo!r} is neither a folder nor a Hub repo id", remedy="a repo id reads org/name"
        ) from error


@contextmanager
def only_in_a_terminal() -> Iterator[None]:
    """Let huggingface_hub draw its bars in a terminal only; what the caller had set comes back."""
    from huggingface_hub import utils

    bars: Any = utils
    watched = sys.stderr is not None and sys.stderr.isatty()
    if watched or bars.are_progress_bars_disabled():
        yield
        return
    bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()
