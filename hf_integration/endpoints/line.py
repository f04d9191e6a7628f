"""The line to a server: one request and its answer, within seconds that no server can stretch."""

import contextlib
import queue
import ssl
import threading
from typing import Any

from hf_integration.base.errors import UsageError
from hf_integration.endpoints.exchange import Connection, Failure, Question, Reply, http_library, too_slow
from hf_integration.endpoints.keys import Key


class Line:
    """A connection to a server, which is made anew when the server took too long.

    Args:
        key: sent with every request, or ``None``.

    Raises:
        UsageError: the proxy or the CA bundle that the environment names cannot be used.
    """

    def __init__(self, key: Key | None) -> None:
        self._key = key
        self._trusted: ssl.SSLContext | None = None
        self._connection = self._connected()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def ask(self, question: Question, *, seconds: float) -> Reply | Failure:
        """Send one request and wait for the whole answer, so many seconds and no longer.

        The limits of httpx are for each read, and the headers are read before anybody can look at a clock: a
        server that drips them, or sends one interim answer after another, would hold us for hours, and a name
        that is looked up knows no limit at all. So a thread does the work and this one waits.
        """
        connection = self._connection
        outcome: queue.SimpleQueue[Reply | Failure] = queue.SimpleQueue()

        def work() -> None:
            outcome.put(connection.ask(question, seconds=seconds))
            if connection.is_cut:  # nobody waits any more
                connection.close()

        threading.Thread(target=work, name="sslauth endpoint", daemon=True).start()
        try:
            return outcome.get(timeout=seconds)
        except queue.Empty:
            self._give_up(outcome)
            return too_slow(seconds)
        except BaseException:  # an interrupt: the thread must not go on behind it
            self._give_up(outcome)
            raise

    def _give_up(self, outcome: "queue.SimpleQueue[Reply | Failure]") -> None:
        """Cut the connection off and leave it to the thread that uses it.

        What came of it meanwhile is not looked at: a body without a length that was cut off looks whole.
        """
        abandoned, self._connection = self._connection, self._connected()
        abandoned.cut_off()
        with contextlib.suppress(queue.Empty):
            outcome.get_nowait()
            abandoned.close()  # the thread is done, and may have looked before it was cut off

    def _connected(self) -> Connection:
        library: Any = http_library()
        try:
            # kept for later connections: reading the bundle takes longer than most requests
            self._trusted = self._trusted or library.create_ssl_context()
            return Connection(self._key, self._trusted)
        except (ValueError, OSError, ImportError, TypeError, library.InvalidURL) as error:
            kind = type(error).__name__  # its text may hold the proxy's password
        raise UsageError(
            f"the proxy or the CA bundle that the environment names cannot be used ({kind})",
            remedy="check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        )
