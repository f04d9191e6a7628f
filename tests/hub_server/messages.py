"""What comes in and what goes out, apart from how HTTP carries it."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlsplit


class Writable(Protocol):
    """The way to a client."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


@dataclass(frozen=True)
class Request:
    """One request; header names are in lower case.

    Attributes:
        method: GET, HEAD, POST, PUT or DELETE.
        path: with the leading slash, still quoted, without the query.
        query: what follows the question mark.
        headers: of the request.
        body: of the request.
        server: ``hub``, or ``cdn`` for the second port.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    server: str

    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def option(self, name: str, default: str = "") -> str:
        return parse_qs(self.query).get(name, [default])[0]

    def asked(self, name: str) -> bool:
        return self.option(name).lower() in ("true", "1")


@dataclass(frozen=True)
class Reply:
    """One reply, and how far it gets.

    Attributes:
        status: of HTTP.
        body: sent whole, unless the reply is cut.
        headers: besides the length, which is the body's unless they say another.
        cut_after: bytes of the body that are sent; 0 not even the headers, ``None`` all.
        ending: what follows where a reply was cut: a ``reset``, ``silence`` until the client gives up, or a
            ``close`` in good order.
        pause: seconds between each two bytes of the body.
        raw: writes to the connection instead of all that, until the server stops; then it is closed.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    ending: Literal["reset", "silence", "close"] = "reset"
    pause: float = 0
    raw: Callable[[Writable, threading.Event], None] | None = None

    @classmethod
    def of(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> "Reply":
        return cls(
            status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}
        )


class HubError(Exception):
    """A reply that the client turns into one of its errors."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **named}
        self.reply = Reply.of({"error": message}, status, told)


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a request line."""
    parts = urlsplit(target)
    return "/" + parts.path.lstrip("/"), parts.query
