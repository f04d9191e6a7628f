"""Kills a process that records a check, once at every system call that it makes.

``python -m tests.watching.killing FOLDER``: prints as JSON what the history held after each of the kills. The
process is a real one, stopped by ``ptrace`` at each entry to the kernel and each return from it, so that
between two of these points nothing happens that anybody else could see.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from hf_integration.watching.history import History
from tests.watching.histories import entry

TRACE_ME, TO_NEXT_CALL = 0, 24  # numbers of Linux: PTRACE_TRACEME, PTRACE_SYSCALL
NO_PTRACE = 97
MOST = 5000

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def killed_at(point: int, path: Path) -> bool:
    """Record a check in a process that is killed at one point; false if it was over before."""
    child = os.fork()
    if not child:
        if ptrace(TRACE_ME, 0, None, None):
            os._exit(NO_PTRACE)
        os.kill(os.getpid(), signal.SIGSTOP)
        History(path).record(entry("authentic", hours=1))
        os._exit(0)
    for _ in range(point + 1):
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status):
                raise SystemExit(os.WEXITSTATUS(status))
            return False
        ptrace(TO_NEXT_CALL, child, None, None)
    os.kill(child, signal.SIGKILL)
    while True:
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return os.WIFSIGNALED(status)


def main(folder: Path) -> None:
    """Kill at every point, with a history that is there and with one that is still to be made."""
    before = folder / "before.db"
    History(before).record(entry("altered"))
    held: dict[str, list[object]] = {"new": [], "old": []}
    for kind, found in held.items():
        for point in range(MOST):
            path = folder / f"{kind}-{point}.db"
            if kind == "old":
                shutil.copy(before, path)
            was_killed = killed_at(point, path)
            found.append(after(path))
            if not was_killed:
                break
    print(json.dumps(held))


def after(path: Path) -> object:
    """What came of it: the checks that are read, and whether the next is recorded behind them."""
    history = History(path)
    left = sorted(file.name.removeprefix(path.name) for file in path.parent.glob(f"{path.name}*"))
    read = [one.outcome for one in history.entries()] if path.exists() else []
    number = history.record(entry("inconclusive", hours=2)).number
    return {"left": left, "read": read, "next": number}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
