"""Writing to the Hub: one commit or one pull request, on exactly the commit that was looked at."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from hf_integration.base.errors import (
    InconclusiveError,
    IntegrityError,
    PublishingConflictError,
    PublishingRefusedError,
    SSLAuthError,
)
from hf_integration.base.text import quoted
from hf_integration.model_card.repository import RepoCommit, holds
from hf_integration.snapshot.hub import only_in_a_terminal
from hf_integration.snapshot.hub_errors import COMMIT, HubUnreachableError, hub_errors
from hf_integration.snapshot.listing import list_files
from hf_integration.snapshot.transport import CHECK_THE_WAY, bounded_pages


@dataclass(frozen=True)
class Made:
    """A commit, and the address of its pull request if it is one's head."""

    commit: str
    address: str | None


def changes(there: RepoCommit, wanted: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """What differs from a commit: name -> content, or ``None`` for a file that is to be removed."""
    return {
        name: content
        for name, content in wanted.items()
        if (name in there.files if content is None else not holds(there.files.get(name), content))
    }


def commit(there: RepoCommit, changed: Mapping[str, bytes | None], *, title: str, create_pr: bool) -> Made:
    """Write changes on top of a commit, whole or not at all.

    Args:
        there: what the changes were made from; another head of the branch by now is a conflict.
        changed: name -> content, or ``None`` to remove the file.
        title: of the commit or pull request.
        create_pr: open a pull request.

    Raises:
        PublishingConflictError: somebody changed the branch meanwhile.
        PublishingRefusedError: the Hub refuses the README.md.
        InconclusiveError: no answer, or no permission.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    operations = [
        CommitOperationDelete(name) if content is None else CommitOperationAdd(name, content)
        for name, content in changed.items()
    ]
    errors = hub_errors(there.repo, None)
    with _write_errors(there.repo), errors, only_in_a_terminal(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the client warns in words of the server
        done = HfApi(token=there.token).create_commit(
            there.repo,
            operations,
            commit_message=title,
            commit_description="Published with `sslauth publish`; see the section in README.md.",
            parent_commit=there.commit,
            create_pr=create_pr,
        )
        made = Made(str(done.oid), str(done.pr_url) if done.pr_url else None)
    return made


def open_pull_request(there: RepoCommit, title: str, wanted: Mapping[str, bytes | None]) -> Made | None:
    """A pull request that is open already and would make the same of these files.

    Args:
        there: the repository.
        title: that such a pull request has; anybody can give one to anything, so its files decide.
        wanted: the files, as for :func:`changes`.

    Raises:
        IntegrityError: the Hub says of a pull request what cannot be.
        InconclusiveError: no answer.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=there.token)
    with hub_errors(there.repo, None), bounded_pages(f"the list of pull requests of {there.repo}"):
        found = [
            discussion
            for discussion in api.get_repo_discussions(there.repo, discussion_type="pull_request")
            if discussion.is_pull_request
            and discussion.status in ("open", "draft")
            and discussion.title == title
        ]
        heads = [
            (api.model_info(there.repo, revision=f"refs/pr/{discussion.num}").sha, discussion)
            for discussion in found[:10]
        ]
    for head, discussion in heads:
        if not isinstance(head, str) or not COMMIT.fullmatch(head):
            raise IntegrityError(
                f"the Hub names no commit for pull request {quoted(str(discussion.num))} of {there.repo}, "
                f"but {quoted(str(head))}",
                remedy=CHECK_THE_WAY,
            )
        files = list_files(there.repo, head, token=there.token, cache_dir=there.cache_dir)
        held = RepoCommit(there.repo, head, {file.name: file for file in files})
        if not changes(held, wanted):
            return Made(head, discussion.url)
    return None


@contextmanager
def _write_errors(repo: str) -> Iterator[None]:
    """What a refusal to write means, read from the client's error below ours."""
    try:
        yield
    except (SSLAuthError, RuntimeError) as error:  # RuntimeError: of the client, around what an upload met
        cause = error.__cause__
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in (409, 412):
            raise PublishingConflictError(
                f"somebody changed {repo} meanwhile; nothing was published", remedy="run the command again"
            ) from cause
        if status in (401, 403, 404):
            raise InconclusiveError(
                f"the Hub does not let you write to {repo} (status {status}); nothing was published",
                remedy="log in with a token that may write ('hf auth login'), or try --create-pr",
            ) from cause
        if type(cause) is ValueError:  # of the client, for the errors that the Hub found; bad JSON is another
            raise PublishingRefusedError(
                f"the Hub refuses the README.md of {repo}; nothing was published",
                remedy="correct the metadata in its YAML header on the Hub first",
            ) from cause
        if isinstance(error, HubUnreachableError | RuntimeError):
            raise HubUnreachableError(
                f"{repo}: the Hub did not confirm the commit ({type(cause).__name__}"
                f"{f', status {status}' if status else ''})",
                remedy="run the command again: what is published already is not published twice",
            ) from cause
        raise
