"""Processes that check groups of entries, as many beside each other as there is memory for."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from hf_integration.base.children import Children, same_imports
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli.fleet.planning import Group

if TYPE_CHECKING:
    from hf_integration.cli.fleet.worker import Answer

WORKER = "hf_integration.cli.fleet.worker"

LARGE = 1 << 30
"""Bytes of weights after which a process is ended: what it took does not always go back to the system."""


MOST_LOST = 2
"""Processes that one encoder may end: the entries behind the first may do without what ended it."""


@dataclass(frozen=True)
class Plan:
    """How entries are checked.

    Attributes:
        groups: of entries, the largest first.
        processes: the most at a time.
        free: bytes of memory for all of them; what takes more by itself runs alone.
        settings: of :class:`~hf_integration.cli.fleet.worker.Settings`, without ``parent``.
        threads: of each process.
    """

    groups: Sequence[Group]
    processes: int
    free: int
    settings: dict[str, Any]
    threads: int


def run(plan: Plan) -> "Generator[Answer]":
    """Check all entries.

    Yields:
        What came of each, as soon as that is known.
    """
    answers: SimpleQueue[Answer | BaseException] = SimpleQueue()
    waiting = _Waiting(plan.groups, plan.free)
    expected = sum(len(group.names) for group in plan.groups)
    with Children() as children:
        threads = [
            threading.Thread(target=_work, args=(plan, waiting, children, answers.put), daemon=True)
            for _ in range(plan.processes)
        ]
        for thread in threads:
            thread.start()
        for _ in range(expected):
            answer = answers.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
        for thread in threads:
            thread.join()


class _Waiting:
    """Groups that nobody has taken yet, and the memory that is left for them."""

    def __init__(self, groups: Sequence[Group], free: int) -> None:
        self._groups, self._free, self._running = list(groups), free, 0
        self._changed = threading.Condition()

    def take(self) -> Group | None:
        """The largest group that there is memory for, once there is some; ``None`` at the end."""
        with self._changed:
            while self._groups:
                for place, group in enumerate(self._groups):
                    if group.memory <= self._free or not self._running:
                        self._free -= group.memory
                        self._running += 1
                        return self._groups.pop(place)
                self._changed.wait()
            return None

    def give_back(self, group: Group) -> None:
        """Its process does not need the memory any more."""
        with self._changed:
            self._free += group.memory
            self._running -= 1
            self._changed.notify_all()


def _work(
    plan: Plan, waiting: _Waiting, children: Children, answered: "Callable[[Answer | BaseException], None]"
) -> None:
    """Take groups until there are none, in one process after another if need be."""
    process: _Process | None = None
    if hasattr(signal, "pthread_sigmask"):  # inherited: Ctrl-C is for the first process
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        while (group := waiting.take()) is not None:
            try:
                lost = 0
                for place, name in enumerate(group.names):
                    if lost == MOST_LOST:
                        answered(_without_answer(name, "not checked, as its encoder ended two processes"))
                        continue
                    try:
                        process = process or _Process(plan, children)
                    except OSError as error:
                        answered(_without_answer(name, f"no process could be started: {error.strerror}"))
                        continue
                    answer = process.first_of(group.names[place:])
                    if process.ended:
                        process, lost = None, lost + 1
                    answered(answer)
            finally:
                if process is not None and group.bytes > LARGE:
                    process.close()
                    process = None
                waiting.give_back(group)
    except BaseException as error:  # whoever waits for answers is to know
        answered(error)
    finally:
        if process is not None:
            process.close()


class _Process:
    """One process; it is asked for the entries of a group one by one, and answers in their order."""

    def __init__(self, plan: Plan, children: Children) -> None:
        environment = {
            "OMP_NUM_THREADS": str(plan.threads),
            **os.environ,
            "WORLD_SIZE": "1",
            **same_imports(),
        }
        started = children.start([sys.executable, "-m", WORKER], env=environment)
        if started is None:
            raise KeyboardInterrupt
        self._process = started
        self._asked: list[str] = []
        self.ended = False
        self._write({**plan.settings, "parent": os.getpid()})

    def first_of(self, names: Sequence[str]) -> "Answer":
        """What came of the first of some entries, of which the others are asked for next."""
        if not self._asked:
            self._asked = list(names)
            self._write(self._asked)
        name, line = self._asked.pop(0), b""
        if self._process.stdout is not None:
            with suppress(OSError, ValueError):
                line = self._process.stdout.readline()
        with suppress(ValueError, KeyError, TypeError):
            answer: Answer = json.loads(line)
            if answer["name"] == name:
                return answer
        self.ended = True
        return _without_answer(name, self._how_it_ended())

    def _how_it_ended(self) -> str:
        self.close(kill=True)
        status = self._process.returncode
        how = f"ended with status {status}"
        if status < 0:
            with suppress(ValueError):
                how = f"was ended by {signal.Signals(-status).name}"
            if -status == getattr(signal, "SIGKILL", None):
                how += ", as a system does that is out of memory"
        return f"the process that checked it {how}"

    def close(self, *, kill: bool = False) -> None:
        """Let it end, as it does when nothing more comes."""
        if kill and self._process.stdout is not None and self._process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)  # its own end says more than ours
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def _write(self, value: Any) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):  # it ended: its answer will be missing
                self._process.stdin.write(json.dumps(value).encode() + b"\n")
                self._process.stdin.flush()


def _without_answer(name: str, reason: str) -> "Answer":
    """An entry that nobody has checked: that is no pass."""
    return {
        "name": name,
        "verdict": None,
        "error": f"{reason} (check it alone, or with fewer --jobs)",
        "exit_status": int(ExitStatus.INCONCLUSIVE),
        "seconds": 0.0,
        "peak": 0,
    }
