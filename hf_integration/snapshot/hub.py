"""The Hub's part: a revision becomes a commit first, then that commit is fetched.

huggingface_hub is imported when it is needed: a local folder needs none of it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from hf_integration.errors import EncoderError, InconclusiveError

_COMMIT = re.compile(r"[0-9a-f]{40}")


def resolve_commit(
    repo: str, *, revision: str | None, token: str | None, cache_dir: str | Path | None
) -> str:
    """The commit that a revision names now, or named when it was last cached if the Hub is out of reach.

    Raises:
        EncoderError: malformed repo id, or no such repo or revision.
        InconclusiveError: no access, or neither network nor cache.
    """
    _check_repo_id(repo)
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi

    try:
        with _hub_errors(repo, revision):
            commit = HfApi(token=token).model_info(repo, revision=revision).sha
    except HubUnreachableError:
        commit = _cached_commit(repo, revision, cache_dir)
        if commit is None:
            raise
    if commit is None or not _COMMIT.fullmatch(commit):
        raise InconclusiveError(f"the Hub names no commit for {repo}", remedy="give a commit as the revision")
    return commit


def download(
    repo: str, commit: str, *, token: str | None, cache_dir: str | Path | None, allow_patterns: Sequence[str]
) -> Path:
    """Fetch a commit's files into the cache, or take them from there.

    Raises:
        EncoderError: no such repo or commit.
        InconclusiveError: no access, or neither network nor cache.
    """
    from huggingface_hub import snapshot_download

    with _hub_errors(repo, commit):
        folder = snapshot_download(
            repo, revision=commit, token=token, cache_dir=cache_dir, allow_patterns=list(allow_patterns)
        )
    return Path(folder)


class HubUnreachableError(InconclusiveError):
    """The Hub did not answer; what is cached may still do."""


def _check_repo_id(repo: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise EncoderError(
            f"{repo!r} is neither a folder nor a Hub repo id", remedy="a repo id reads org/name"
        ) from error


def _cached_commit(repo: str, revision: str | None, cache_dir: str | Path | None) -> str | None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    root = Path(cache_dir) if cache_dir is not None else Path(constants.HF_HUB_CACHE)
    refs = root / repo_folder_name(repo_id=repo, repo_type="model") / "refs"
    file = (refs / (revision or "main")).resolve()
    if not file.is_relative_to(refs.resolve()) or not file.is_file():
        return None
    return file.read_text("utf-8").strip()


@contextmanager
def _hub_errors(repo: str, revision: str | None) -> Iterator[None]:
    """Turn what huggingface_hub raises into this package's errors.

    Raises:
        EncoderError: no such repo or revision.
        HubUnreachableError: no answer.
        InconclusiveError: no access.
    """
    from huggingface_hub import errors, utils

    # The client of version 2 is httpx2, which utils gives under the old name; version 1 used httpx itself.
    client: Any = getattr(utils, "httpx", None) or import_module("httpx")
    http_error: type[Exception] = client.HTTPError
    named = f"{repo} at {revision}" if revision else repo
    try:
        yield
    except errors.GatedRepoError as error:
        raise InconclusiveError(
            f"{repo} is gated",
            remedy="accept its conditions on the Hub, then `hf auth login` or set HF_TOKEN",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise EncoderError(
            f"{repo} has no revision {revision!r}", remedy="check the branch, tag or commit"
        ) from error
    except errors.RepositoryNotFoundError as error:
        # The Hub answers 401 for a private repo and for one that does not exist, without telling which.
        raise EncoderError(
            f"no Hub repo and no local folder is called {repo!r}",
            remedy="check the name; for a private repo `hf auth login` or set HF_TOKEN",
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise HubUnreachableError(
            f"{named}: the Hub is out of reach and the cache does not hold it",
            remedy="go online once, or give a local folder",
        ) from error
    except errors.HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise InconclusiveError(
                f"{repo}: the Hub denied access (status {status})", remedy="`hf auth login` or set HF_TOKEN"
            ) from error
        raise HubUnreachableError(
            f"{named}: the Hub answered with status {status}", remedy="try again later"
        ) from error
    except (http_error, OSError) as error:
        raise HubUnreachableError(
            f"{named}: no such folder here, and the Hub cannot be reached ({type(error).__name__})",
            remedy="check the path, or the network",
        ) from error
