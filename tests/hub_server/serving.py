"""HTTP on one port, on the standard library: threads, connections, and replies that break off."""

import contextlib
import socket
import ssl
import struct
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.hub_server.messages import Reply, Request, split_target

Answer = Callable[[Request], Reply]
_AT_ONCE = struct.pack("ii", 1, 0)  # a socket option: closing resets the connection


class Port:
    """A server on a free port of this machine, from :meth:`start` to :meth:`stop`.

    Attributes:
        failures: tracebacks of answers that raised; the client got status 500 for each.
    """

    def __init__(self, name: str, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.name, self.answer, self.tls = name, answer, tls
        self.failures: list[str] = []
        self.stopping = threading.Event()
        handler = type("Handler", (_Handler,), {"port": self})
        self._server = _Server(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection, also those that hang."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # processes that start together connect together

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # of an idle connection, in seconds
    disable_nagle_algorithm, wbufsize = True, -1  # else every reply waits 40 ms for an acknowledgement
    port: Port

    def setup(self) -> None:
        if self.port.tls:
            # not where connections are accepted: a client that shakes no hands must not hold up others
            self.request = self.port.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        if self.port.tls:
            self.request.close()  # the server closes what it accepted, which was unwrapped

    def _serve(self) -> None:
        path, query = split_target(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, self._body(), self.port.name)
        try:
            reply = self.port.answer(request)
        except Exception:
            self.port.failures.append(traceback.format_exc())
            reply = Reply(500, b"the test server failed", {"Content-Type": "text/plain"})
        self._send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, reply: Reply) -> None:
        if reply.raw is not None:
            self.close_connection = True
            return reply.raw(self.wfile, self.port.stopping)
        if reply.cut_after == 0:
            return self._break_off(reply)
        self.send_response(reply.status)
        length = {} if reply.status == 204 else {"Content-Length": str(len(reply.body))}
        for name, value in {**length, "X-Request-Id": "test", **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        body = b"" if self.command == "HEAD" else reply.body
        self._write(body if reply.cut_after is None else body[: reply.cut_after], reply.pause)
        if reply.cut_after is not None:
            return self._break_off(reply)
        if reply.headers.get("Content-Length", str(len(reply.body))) != str(len(reply.body)):
            self.close_connection = True  # what follows could be taken for the rest
        return None

    def _write(self, body: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(body)
        for place in range(len(body) if pause else 0):
            self.wfile.write(body[place : place + 1])
            self.wfile.flush()
            if self.port.stopping.wait(pause):
                return
        self.wfile.flush()

    def _break_off(self, reply: Reply) -> None:
        self.close_connection = True
        if reply.ending == "silence":
            self.port.stopping.wait()
        elif reply.ending == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            # the base class says good-bye before it closes, which would end the connection in good order
            self.connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Tests read :attr:`HubServer.requests` instead."""
