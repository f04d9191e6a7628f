"""Misbehaviour: rules that replace or spoil the reply to some requests."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.hub_server.messages import HubError, Reply, Request

Behaviour = Callable[[Request, Callable[[], Reply]], Reply]
"""From a request, and the right answer to it, to the reply that is sent.

What was asked for is done when the answer is called: a commit whose behaviour never calls it is not made.
"""


@dataclass
class Fault:
    """One rule.

    Attributes:
        behaviour: what is done to the replies.
        path: a regular expression that is looked for in the path and query.
        method: a regular expression for the whole method.
        server: ``hub``, ``cdn``, or both if it is empty.
        times: how often it strikes before the Hub recovers; ``None`` for ever.
        struck: how often it did.
    """

    behaviour: Behaviour
    path: str = ""
    method: str = "GET|HEAD"
    server: str = ""
    times: int | None = None
    struck: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of those; counts it."""
        target = f"{request.path}?{request.query}" if request.query else request.path
        fits = (
            re.fullmatch(self.method, request.method)
            and re.search(self.path, target)
            and self.server in ("", request.server)
        )
        with self._lock:
            if not fits or (self.times is not None and self.struck >= self.times):
                return False
            self.struck += 1
            return True


def status(code: int, message: str = "", error_code: str = "", **headers: str) -> Behaviour:
    """Another status; underscores in the names of headers stand for hyphens."""
    error = HubError(code, message or f"status {code}", error_code, **headers)
    return lambda _request, _answer: error.reply


def reset(after: int = 0) -> Behaviour:
    """Reset the connection after some bytes of the body, or before any reply."""
    return lambda _request, answer: replace(answer(), cut_after=after)


def hang_up(after: int) -> Behaviour:
    """Close the connection in good order, but after some bytes of the body."""
    return lambda _request, answer: replace(answer(), cut_after=after, ending="close")


def stall(after: int = 0) -> Behaviour:
    """Fall silent after some bytes of the body, or before any reply, and keep the connection open."""
    return lambda _request, answer: replace(answer(), cut_after=after, ending="silence")


def drip(pause: float) -> Behaviour:
    """Send every byte of the body, and so many seconds between each two."""
    return lambda _request, answer: replace(answer(), pause=pause)


def headers(**changed: str) -> Behaviour:
    """Other headers; underscores in their names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    spoilt = {name.lower() for name in named}

    def behaviour(_request: Request, answer: Callable[[], Reply]) -> Reply:
        reply = answer()
        kept = {name: value for name, value in reply.headers.items() if name.lower() not in spoilt}
        return replace(reply, headers={**kept, **named})

    return behaviour


def tampered(offset: int = -1) -> Behaviour:
    """One bit of the content differs; its length does not. Negative offsets count from the end."""

    def behaviour(_request: Request, answer: Callable[[], Reply]) -> Reply:
        reply = answer()
        if not reply.body or reply.status not in (200, 206):
            return reply
        spoilt = bytearray(reply.body)
        spoilt[offset] ^= 1
        return replace(reply, body=bytes(spoilt))

    return behaviour


def body(change: Callable[[bytes], bytes]) -> Behaviour:
    """Another content, with its own length."""

    def behaviour(_request: Request, answer: Callable[[], Reply]) -> Reply:
        reply = answer()
        return replace(reply, body=change(reply.body))

    return behaviour


def edited(change: Callable[[Any], Any]) -> Behaviour:
    """JSON that was edited: listings and pages that lie."""
    return body(lambda content: json.dumps(change(json.loads(content))).encode())


def html() -> Behaviour:
    """A page for people with status 200, as captive portals and broken proxies send."""
    page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>"
    return lambda _request, _answer: Reply(200, page, {"Content-Type": "text/html"})


def redirect(target: str) -> Behaviour:
    """Send the client elsewhere; ``{path}`` in the target is the path that was asked for."""
    return lambda request, _answer: Reply(302, b"", {"Location": target.replace("{path}", request.path)})
