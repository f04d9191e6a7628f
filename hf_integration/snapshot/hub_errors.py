"""What huggingface_hub raises, as this package's errors: one line each, with remedy and exit status."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hf_integration.base.errors import EncoderError, InconclusiveError, OutputError, SSLAuthError
from hf_integration.snapshot.transport import CHECK_THE_WAY, guarded_transport, http_library

COMMIT = re.compile(r"[0-9a-f]{40}")

BUSY = frozenset({429, 500, 502, 503, 504})

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG})
"""What a cache that is full or must not be written to says."""


class HubUnreachableError(InconclusiveError):
    """The Hub did not answer, or not with sense; what is cached may still do."""


class OfflineError(HubUnreachableError):
    """This machine has no way to the Hub, or is told to use none: nobody answered, rightly or wrongly.

    Attributes:
        repo: the repository that was asked for.
    """

    def __init__(self, message: str, *, repo: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.repo = repo


class HubBusyError(HubUnreachableError):
    """The Hub said that it cannot answer now: it may in a moment."""


class UnknownRevisionError(EncoderError):
    """The repository is there, the branch, tag or commit is not."""


@contextmanager
def hub_errors(repo: str, revision: str | None) -> Iterator[None]:
    """Turn what huggingface_hub raises into this package's errors.

    Args:
        repo: repo id, for messages.
        revision: branch, tag or commit that was asked for, if any.

    Raises:
        EncoderError: no such repo, revision or file.
        OfflineError: no way to the Hub.
        HubUnreachableError: no answer, or one that makes no sense.
        InconclusiveError: no access.
        OutputError: the cache cannot be written.
    """
    from huggingface_hub import errors

    http_error: type[Exception] = http_library().HTTPError
    named = f"{repo} at {revision}" if revision else repo
    try:
        with guarded_transport():
            yield
    except errors.GatedRepoError as error:
        raise InconclusiveError(
            f"{repo} is gated",
            remedy="accept its conditions on the Hub, then `hf auth login` or set HF_TOKEN",
        ) from error
    except errors.DisabledRepoError as error:
        raise InconclusiveError(f"{repo} was disabled by the Hub", remedy="look at its page") from error
    except errors.RevisionNotFoundError as error:
        raise UnknownRevisionError(
            f"{repo} has no revision {revision!r}", remedy="check the branch, tag or commit"
        ) from error
    except errors.RepositoryNotFoundError as error:
        # The Hub answers 401 for a private repo and for one that does not exist, without telling which.
        raise EncoderError(
            f"no Hub repo and no local folder is called {repo!r}",
            remedy="check the name; for a private repo `hf auth login` or set HF_TOKEN",
        ) from error
    except errors.RemoteEntryNotFoundError as error:
        raise HubUnreachableError(
            f"{named}: the Hub lists a file that it does not have", remedy="try again later"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        full = _no_room(error)
        if full is not None:
            raise _unwritable(full) from error
        raise _out_of_reach(error, repo, revision, named) from error
    except errors.HfHubHTTPError as error:
        raise _by_status(error, repo, named) from error
    except (http_error, OSError) as error:
        full = _no_room(error)
        if full is not None:
            raise _unwritable(full) from error
        if isinstance(error, http_error):
            raise _unanswered(error, repo, revision, named) from error
        raise HubUnreachableError(
            f"{named}: the transfer failed ({type(error).__name__})",
            remedy="check the network, and try again",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # not the JSON of a Hub; brackets without end are a RecursionError
        raise HubUnreachableError(
            f"{named}: the answer is not that of a Hub ({type(error).__name__})",
            remedy=CHECK_THE_WAY,
        ) from error


def _out_of_reach(error: BaseException, repo: str, revision: str | None, named: str) -> HubUnreachableError:
    from huggingface_hub import constants, errors

    told_so = isinstance(error, errors.OfflineModeIsEnabled)
    cause = error.__cause__
    if told_so and isinstance(cause, http_library().HTTPError):  # it is what the guards make of silence
        return _unanswered(cause, repo, revision, named)
    offline = told_so or constants.HF_HUB_OFFLINE
    why, other = (" (HF_HUB_OFFLINE is set)", "unset it") if offline else ("", "go online once")
    message = f"{named}: neither a folder here nor the cache holds it, and the Hub is out of reach{why}"
    remedy = f"check the path, or {other}"
    return _unreachable(message, repo, remedy, offline=offline or _not_connected(error))


def _unanswered(error: BaseException, repo: str, revision: str | None, named: str) -> HubUnreachableError:
    path_meant = revision is None or not COMMIT.fullmatch(revision)
    no_path = "no such folder here, and " if path_meant else ""
    # the error's own text may quote the server
    message = f"{named}: {no_path}the Hub cannot be reached ({type(error).__name__})"
    remedy = "check the path, or the network" if path_meant else "check the network"
    return _unreachable(message, repo, remedy, offline=_not_connected(error))


def _unreachable(message: str, repo: str, remedy: str, *, offline: bool) -> HubUnreachableError:
    if offline:
        return OfflineError(message, repo=repo, remedy=remedy)
    return HubUnreachableError(message, remedy=remedy)


def _by_status(error: Any, repo: str, named: str) -> SSLAuthError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 404:
        return EncoderError(
            f"no Hub repo and no local folder is called {repo!r}",
            remedy="check the name; a repo id reads org/name",
        )
    if status in (401, 403):
        return InconclusiveError(
            f"{repo}: the Hub denied access (status {status})", remedy="`hf auth login` or set HF_TOKEN"
        )
    kind = HubBusyError if status in BUSY else HubUnreachableError
    return kind(f"{named}: the Hub answered with status {status}", remedy="try again later")


def _no_room(error: BaseException) -> OSError | None:
    """The error of the disk that another one was raised for, if any."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            return cause
    return None


def _not_connected(error: BaseException) -> bool:
    """Whether an error was raised for a connection that never came about."""
    http = http_library()
    return any(isinstance(cause, http.ConnectError | http.ConnectTimeout) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised for."""
    seen = 0
    while error is not None and seen < 16:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


def _unwritable(error: OSError) -> OutputError:
    where = f" {error.filename}" if error.filename else ""
    return OutputError(
        f"the Hub cache{where} cannot be written: {error.strerror}",
        remedy="make room, or choose another folder with --cache-dir or HF_HUB_CACHE",
    )
