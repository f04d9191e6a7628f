"""One request and its answer over HTTP, within bounds of bytes, and what went wrong on the way in words."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hf_integration.base.text import quoted
from hf_integration.endpoints.keys import Key

MOST_OF_A_REFUSAL = 64 << 10
"""Bytes that are read of an answer with another status than 200; only its reason is looked for."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}
"""``identity``: a compressed answer could be a thousand times as large as what came over the wire."""

_LOCATION = "sslauth_location"


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        method: of HTTP.
        url: that is asked.
        body: JSON, or empty.
        most_bytes: that the answer may have.
    """

    method: str
    url: str
    body: bytes = field(repr=False)
    most_bytes: int


@dataclass(frozen=True)
class Reply:
    """What came back, whole; of another status than 200 the first :data:`MOST_OF_A_REFUSAL` bytes.

    Attributes:
        status: of HTTP.
        body: as it came. It is not part of the ``repr``: a hostile server may echo the key.
        kind: its ``Content-Type`` without parameters, from the server.
        location: where a redirect leads, from the server; empty without one.
        retry_after: the header of that name, from the server.
    """

    status: int
    body: bytes = field(repr=False)
    kind: str = field(repr=False)
    location: str = field(repr=False)
    retry_after: str | None = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """Why no whole answer came.

    Attributes:
        reason: continues "the server …"; nothing in it is from the server.
        transient: whether the same request may well be answered if it is sent again.
    """

    reason: str
    transient: bool = True


class Connection:
    """A client of httpx, and a handle of its socket by which another thread can end what it waits for.

    Certificates are always verified. Proxies are those of the environment, as httpx takes them. Redirects
    are not followed: the key must not travel to where a server points.

    Args:
        key: sent with every request, or ``None``.
        trusted: the authorities that certificates are verified with.

    Raises:
        Exception: what httpx says about a proxy of the environment that cannot be used.
    """

    def __init__(self, key: Key | None, trusted: ssl.SSLContext) -> None:
        self._key = key
        hooks = {"response": [_take_location]}
        self._client = http_library().Client(verify=trusted, follow_redirects=False, event_hooks=hooks)
        self._handle: socket.socket | None = None
        self._cut = False
        self._lock = threading.Lock()

    @property
    def is_cut(self) -> bool:
        """Whether it was cut off."""
        return self._cut

    def ask(self, question: Question, *, seconds: float) -> Reply | Failure:
        """Send one request and read its answer.

        It raises nothing: errors of httpx hold the key in their frames, and in a thread they would be lost.

        Args:
            question: to send.
            seconds: for each read and write, of which there may be any number: see :meth:`cut_off`.
        """
        try:
            request = self._client.build_request(
                question.method,
                question.url,
                headers=_HEADERS,
                content=question.body,
                timeout=seconds,
                extensions={"trace": self._traced},
            )
            authorise = self._key.authorise if self._key else None
            response = self._client.send(request, auth=authorise, stream=True, follow_redirects=False)
            with contextlib.closing(response):
                return _received(response, question.most_bytes)
        except BaseException as error:
            return _failure(error, seconds)

    def cut_off(self) -> None:
        """End whatever the thread that asks waits for, now or when its connection comes about.

        To close the socket would give its number to the next one while OpenSSL still reads by that number:
        the old thread would take bytes of the new connection.
        """
        with self._lock:
            self._cut = True
            self._shut_down()

    def close(self) -> None:
        """Give it back. Nobody may be asking."""
        self._client.close()
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def _traced(self, event: str, info: Mapping[str, Any]) -> None:
        """Take a handle of every new socket: httpcore tells its events to the extension ``trace``."""
        if event.endswith("connect_tcp.complete"):
            with self._lock:
                if self._handle is not None:
                    self._handle.close()
                self._handle = info["return_value"].get_extra_info("socket").dup()
                if self._cut:  # it came about too late, and must not carry the key any more
                    self._shut_down()

    def _shut_down(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):  # the server went first
                self._handle.shutdown(socket.SHUT_RDWR)


def http_library() -> Any:
    """What huggingface_hub asks with: httpx before its version 2, and httpx2 under that name since."""
    from huggingface_hub import utils

    hub: Any = utils
    return hub.httpx


def too_slow(seconds: float) -> Failure:
    """An answer that did not come in time."""
    return Failure(f"did not answer wholly within {seconds:.3g} seconds")


def _take_location(response: Any) -> None:
    """Put where a redirect leads out of the way of httpx, which reads it even if it is not to follow."""
    response.extensions[_LOCATION] = response.headers.pop("Location", "")


def _received(response: Any, most_bytes: int) -> Reply | Failure:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    encoded = encoding not in ("", "identity")
    answered = response.status_code == 200
    if answered and encoded:
        return Failure("compressed its answer, which it was asked not to do", transient=False)
    most = most_bytes if answered else MOST_OF_A_REFUSAL
    body = bytearray()
    for part in () if encoded else response.iter_raw():
        body += part
        if len(body) > most:
            if answered:
                return Failure(
                    f"answered with more than the {most} bytes that such an answer can have", transient=False
                )
            break
    return Reply(
        status=response.status_code,
        body=bytes(body[:most]),
        kind=response.headers.get("Content-Type", "").partition(";")[0].strip(),
        location=response.extensions[_LOCATION],
        retry_after=response.headers.get("Retry-After"),
    )


def _failure(error: BaseException, seconds: float) -> Failure:
    """What an error of httpx means. Its own text may quote the server, or a header: it is not used."""
    httpx = http_library()
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(
                f"has a certificate that is not trusted: {quoted(cause.verify_message)}", transient=False
            )
    if isinstance(error, httpx.TimeoutException):
        return too_slow(seconds)
    if isinstance(error, httpx.ProxyError):
        return Failure("was not reached: the proxy on the way refused")
    if isinstance(error, httpx.ConnectError):
        system = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
        return Failure(f"was not reached: {quoted(system[-1]) if system else 'no connection'}")
    if isinstance(error, httpx.NetworkError):
        return Failure("broke off the connection")
    if isinstance(error, httpx.RemoteProtocolError):
        return Failure("broke off its answer, or does not speak HTTP")
    return Failure(f"could not be asked ({type(error).__name__})", transient=False)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it was raised for, the outermost first."""
    for _ in range(16):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
