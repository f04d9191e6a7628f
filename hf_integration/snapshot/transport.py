"""What huggingface_hub takes from servers and should not: how long to wait, how to name cached files."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import Any

from hf_integration.base.errors import InconclusiveError, IntegrityError

MOST_TRIES = 3
"""How often one thing is asked for, while the server is silent or says that it is down; the client itself
tries six times, which is 23 seconds of pauses alone."""

LONGEST_PAUSE = 10
"""Seconds that a server may ask to wait before the next try; after more, the client's own pauses hold."""

MOST_REQUESTS = 200
"""For the pages of one listing; 20,000 files are 20 pages of the Hub."""

LONGEST_LISTING = 300
"""Seconds for all of them together."""

LEAST_RATE, WATCHED = 1_000, 60
"""Bytes a second, on average over so many seconds: a server that drips is as good as one that is silent."""

CHECK_THE_WAY = "check HF_ENDPOINT and any proxy on the way to the Hub"
"""What to do about answers that the Hub does not give."""

_DOWN = frozenset({500, 502, 503, 504})
"""Not 429: a server that says how long to wait is there."""

_PAUSES = ("retry-after", "ratelimit")
_ETAGS = ("x-linked-etag", "etag")
_ETAG = re.compile(r'(W/)?"?[\w-][\w.-]{0,127}"?', re.ASCII)
_OF_A_FILE = "x-repo-commit"


class EndlessListingError(InconclusiveError):
    """A Hub that goes on answering without an end."""


class DrippingError(InconclusiveError):
    """A reply that comes so slowly that it might as well never."""


_HOOKS = threading.Lock()
"""The client's session is one for the whole process: two threads must not undo each other's hooks."""


@contextmanager
def _hooked(session: Any, **hooks: Sequence[Callable[[Any], None]]) -> Iterator[None]:
    """Let a session call these meanwhile, besides what others have it call."""
    with _HOOKS:
        session.event_hooks = {
            kind: [*present, *hooks.get(kind, ())] for kind, present in session.event_hooks.items()
        }
    try:
        yield
    finally:
        with _HOOKS:
            left = {kind: list(present) for kind, present in session.event_hooks.items()}
            for kind, ours in hooks.items():
                for hook in ours:
                    with suppress(ValueError):  # somebody took it off: nothing hides what happened meanwhile
                        left.get(kind, []).remove(hook)  # once: another thread may have added the same
            session.event_hooks = left


@contextmanager
def guarded_transport() -> Iterator[None]:
    """Look at every request and reply of huggingface_hub meanwhile.

    Its pages and listings are asked for without a time limit, its second try of a file with one of a minute,
    and ``Retry-After: 3600`` makes it sleep an hour: here a request ends when the server has been silent for
    ``HF_HUB_ETAG_TIMEOUT`` or ``HF_HUB_DOWNLOAD_TIMEOUT``, whichever is longer, or drips for a minute.

    It also names cached files by the server's ETag, and follows one that says ``../../`` out of its cache.

    It asks six times where nobody answers, and after a connection that did not come about it goes on with
    another session, which nobody looks at: here that ends the request, and other silence does the third time.

    Raises:
        huggingface_hub.errors.OfflineModeIsEnabled: nobody answered, the reason being its cause. The client
            and ``datasets`` take it for a machine without a network: they look into their caches, and do not
            ask again.
        IntegrityError: such an ETag came; nothing was written.
        DrippingError: so slow a reply came.
    """
    from huggingface_hub import constants, utils

    hub: Any = utils
    session = hub.get_session()
    silence = float(max(constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT))

    def bound(request: Any) -> None:
        given = request.extensions.get("timeout") or {}
        kinds = ("connect", "read", "write", "pool")
        bounded = {kind: min(given.get(kind) or silence, silence) for kind in kinds}
        request.extensions = {**request.extensions, "timeout": bounded}

    looking = [_shorten_pauses, _check_etags, _watch_pace]
    with _hooked(session, request=[bound], response=looking), _few_tries(session):
        yield


class _Asking:
    """What a session sends by meanwhile: it counts what is asked for in vain, and ends it.

    Attributes:
        guards: how many are in force.
    """

    def __init__(self, session: Any) -> None:
        self._send = session.send
        self._failed: Counter[tuple[str, str]] = Counter()
        self.guards = 0

    def __call__(self, request: Any, **options: Any) -> Any:
        from huggingface_hub import errors, utils

        hub: Any = utils
        http = http_library()
        asked = (request.method, str(request.url))
        try:
            response = self._send(request, **options)
        except http.TimeoutException as error:
            self._failed[asked] += 1
            if self._failed[asked] < MOST_TRIES:
                raise
            raise errors.OfflineModeIsEnabled(str(error)) from error
        except http.ConnectError as error:
            raise errors.OfflineModeIsEnabled(str(error)) from error
        if response.status_code not in _DOWN or request.method not in ("GET", "HEAD"):
            del self._failed[asked]
            return response
        self._failed[asked] += 1
        if self._failed[asked] >= MOST_TRIES:
            hub.hf_raise_for_status(response)
        return response


@contextmanager
def _few_tries(session: Any) -> Iterator[None]:
    """Let a session send by an :class:`_Asking`, one for all threads."""
    with _HOOKS:
        if not isinstance(session.send, _Asking):
            session.send = _Asking(session)
        asking = session.send
        asking.guards += 1
    try:
        yield
    finally:
        with _HOOKS:
            asking.guards -= 1
            if not asking.guards:
                del session.send


@contextmanager
def bounded_pages(what: str) -> Iterator[None]:
    """Follow the pages of a listing for so long and no longer, whatever they lead on to.

    The client follows every link to a next page, also one that leads to the page that it is on.

    Args:
        what: what is listed, for messages.

    Raises:
        IntegrityError: it has more pages than any of the Hub.
        EndlessListingError: it takes too long.
    """
    from huggingface_hub import utils

    hub: Any = utils
    session = hub.get_session()
    begin, asked = time.monotonic(), 0

    def count(_: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > MOST_REQUESTS:
            raise IntegrityError(
                f"{what} goes on after {MOST_REQUESTS} pages",
                remedy=CHECK_THE_WAY,
            )
        if time.monotonic() - begin > LONGEST_LISTING:
            raise EndlessListingError(
                f"{what} is not over after {LONGEST_LISTING} seconds", remedy="try again later"
            )

    with _hooked(session, request=[count]):
        yield


def _shorten_pauses(response: Any) -> None:
    for name in _PAUSES:
        if name in response.headers:
            pause = response.headers[name].strip()
            if not (pause.isdigit() and int(pause) <= LONGEST_PAUSE):
                del response.headers[name]


def http_library() -> Any:
    """The library that the client asks with: httpx2, which it gives under the old name."""
    from huggingface_hub import utils

    return getattr(utils, "httpx", None) or import_module("httpx")


def _watch_pace(response: Any) -> None:
    response.stream = _watched()(response.stream, response.request.url.path)


@cache
def _watched() -> Any:
    """The class of bodies that are given up when they come too slowly; made when the library is there."""

    class Watched(http_library().SyncByteStream):  # type: ignore[misc]  # known at run time only
        def __init__(self, body: Any, name: str) -> None:
            self._body, self._name = body, name

        def __iter__(self) -> Iterator[bytes]:
            begin, received = time.monotonic(), 0
            for part in self._body:
                received += len(part)
                yield part
                if (seconds := time.monotonic() - begin) < WATCHED:
                    continue
                if received < LEAST_RATE * seconds:
                    raise DrippingError(
                        f"{self._name}: {received} bytes came in {seconds:.0f} seconds",
                        remedy="try again later",
                    )
                begin, received = time.monotonic(), 0

        def close(self) -> None:
            self._body.close()

    return Watched


def _check_etags(response: Any) -> None:
    """Refuse what could not be the name of a file; only replies about files become names.

    Raises:
        IntegrityError: it could not.
    """
    if response.status_code >= 400 or _OF_A_FILE not in response.headers:
        return
    for name in _ETAGS:
        etag = response.headers.get(name)
        if etag is not None and not _ETAG.fullmatch(etag.strip()):
            raise IntegrityError(
                f"{response.request.url.path}: an ETag that leads outside the cache: {etag[:80]!r}",
                remedy=CHECK_THE_WAY,
            )
