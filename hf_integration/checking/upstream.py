"""What the Hub says now of a pinned encoder: the cache never answers for it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hf_integration.base.errors import InconclusiveError, IntegrityError, SSLAuthError
from hf_integration.checking.pins.pin import Pin
from hf_integration.snapshot.hub_errors import UnknownRevisionError, hub_errors

_COMMIT = re.compile(r"[0-9a-f]{40}")


def current_commit(repo: str, revision: str, *, token: str | None = None) -> str:
    """The commit that a branch or tag names at this moment.

    Raises:
        EncoderError: no such repo, branch or tag.
        InconclusiveError: the Hub did not answer, or denies access.
    """
    from huggingface_hub import HfApi

    with hub_errors(repo, revision):
        commit = HfApi(token=token).model_info(repo, revision=revision).sha
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise InconclusiveError(f"the Hub names no commit for {repo} at {revision}", remedy="try again later")
    return commit


@contextmanager
def commit_on_the_hub(pin: Pin | None, *, token: str | None = None) -> Iterator[None]:
    """Explain a pinned commit that is gone: a history that was rewritten, or another repo of that name.

    Args:
        pin: the entry, if there is one.
        token: Hub token.

    Raises:
        IntegrityError: it is gone.
    """
    try:
        yield
    except UnknownRevisionError as error:
        if pin is None or pin.repo is None or pin.commit is None:
            raise
        raise IntegrityError(
            f"{pin.repo} no longer has commit {pin.commit}, which {pin.file.name} pins for '{pin.name}'; "
            f"{_now(pin.repo, pin.tracked, token)}",
            remedy="find out why its history was rewritten before you run `sslauth lock`",
        ) from error


def _now(repo: str, revision: str, token: str | None) -> str:
    try:
        return f"'{revision}' is now {current_commit(repo, revision, token=token)}"
    except SSLAuthError as error:
        return f"what '{revision}' is now could not be found out: {error}"
