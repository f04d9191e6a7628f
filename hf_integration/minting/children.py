"""Processes that do not outlive what started them: whoever interrupts minting waits for none of them."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType


class Children:
    """Processes, started from several threads, that are ended when the block is left by an error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def run(self, command: Sequence[str], *, env: Mapping[str, str]) -> tuple[int, str]:
        """Run a process to its end, without input.

        Returns:
            Its exit status, and what it wrote to standard error.
        """
        with self._lock:
            if self._ended:
                return -1, "interrupted"
            process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            self._running.add(process)
        try:
            _, said = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        return process.returncode, said

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()
