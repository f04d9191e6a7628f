"""Processes that do not outlive what started them: whoever interrupts a command waits for none of them."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

_SET_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of ``prctl(2)``."""


def end_with(parent: int) -> None:
    """Let the system end this process with the one that started it, however that ends.

    Args:
        parent: its process id.
    """
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be said
        sys.exit(1)


def same_imports() -> dict[str, str]:
    """Environment of a Python that imports what this one does, and nothing from the folder it is started in.

    ``python -m`` puts that folder first, and whoever put a module there would have it run.
    """
    path = [str(Path(entry).absolute()) for entry in sys.path if entry]
    path.append(str(Path(__file__).resolve().parents[2]))  # where these packages are, if nothing else says it
    return {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


class Ended(NamedTuple):
    """How a process ended: its status, and what it wrote to standard output and standard error."""

    status: int
    answer: bytes
    said: str


class Children:
    """Processes, started from several threads, that are ended when the block is left by an error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def run(self, command: Sequence[str], *, env: Mapping[str, str], given: bytes = b"") -> Ended:
        """Run a process to its end.

        Args:
            command: the program and its arguments.
            env: its environment.
            given: what it reads from standard input.
        """
        process = self.start(command, env=env, errors=subprocess.PIPE)
        if process is None:
            return Ended(-1, b"", "interrupted")
        try:
            answer, said = process.communicate(given)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        return Ended(process.returncode, answer, said.decode(errors="replace"))

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], errors: int | None = None
    ) -> "subprocess.Popen[bytes] | None":
        """Start a process that is written to and read from; ``None`` once the block was left by an error.

        Args:
            command: the program and its arguments.
            env: its environment.
            errors: what becomes of its standard error; by default it is that of this process.
        """
        with self._lock:
            if self._ended:
                return None
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            self._running.add(process)
        return process

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
