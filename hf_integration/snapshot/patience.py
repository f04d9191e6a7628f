"""Bounds on waiting: huggingface_hub waits for ever for some answers, and as long as a server tells it to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST_PAUSE = 10
"""Seconds that a server may ask to wait before the next try; after more, the client's own pauses hold."""

_PAUSES = ("retry-after", "ratelimit")


@contextmanager
def bounded_patience() -> Iterator[None]:
    """Let every request that huggingface_hub makes meanwhile end when the server falls silent.

    Its pages and listings are asked for without a time limit, its second try of a file with one of a minute,
    and ``Retry-After: 3600`` makes it sleep an hour. ``HF_HUB_ETAG_TIMEOUT`` and ``HF_HUB_DOWNLOAD_TIMEOUT``
    hold as documented.
    """
    from huggingface_hub import constants, utils

    hub: Any = utils
    session = hub.get_session()
    silence = float(max(constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT))

    def bound(request: Any) -> None:
        given = request.extensions.get("timeout") or {}
        bounded = {
            kind: min(given.get(kind) or silence, silence) for kind in ("connect", "read", "write", "pool")
        }
        request.extensions = {**request.extensions, "timeout": bounded}

    def shorten(response: Any) -> None:
        for name in _PAUSES:
            if name in response.headers and not _is_short(response.headers[name]):
                del response.headers[name]

    before = session.event_hooks
    session.event_hooks = {
        "request": [*before["request"], bound],
        "response": [*before["response"], shorten],
    }
    try:
        yield
    finally:
        session.event_hooks = before


def _is_short(pause: str) -> bool:
    return pause.strip().isdigit() and int(pause) <= LONGEST_PAUSE
