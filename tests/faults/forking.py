"""Runs many ``sslauth`` commands, each in a process of its own, that share the seconds of importing.

``python -m tests.faults.forking JOBS``: a JSON file with ``folder`` (for output), ``at_once``, ``seconds``
(after which a command counts as hung), ``warm`` (arguments of a command that is run first, for its imports)
and ``waves``, one after the other, of jobs: names and their arguments. Every job leaves ``NAME.out``,
``NAME.err`` and ``NAME.status``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

HUNG = "hung"


def run(arguments: list[str], place: Path) -> int:
    """Run one command, with its streams in files, and give its status."""
    from hf_integration.cli import main

    for stream, ending in ((1, ".out"), (2, ".err")):
        file = os.open(f"{place}{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
    return main(arguments)


def start(arguments: list[str], place: Path) -> int:
    """Start one command and give its process id."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        status = run(arguments, place)
    finally:
        os._exit(status)


def main(plan: Path) -> None:
    """Run all jobs of a plan."""
    said = json.loads(plan.read_text())
    folder = Path(said["folder"])
    warm_up(said["warm"], folder)
    for jobs in said["waves"]:
        run_all(jobs, folder, at_once=said["at_once"], seconds=said["seconds"])


def run_all(jobs: dict[str, list[str]], folder: Path, *, at_once: int, seconds: float) -> None:
    """Run jobs, so many at once, and kill those that take too long."""
    waiting = list(jobs.items())
    running: dict[int, tuple[str, float]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            name, arguments = waiting.pop(0)
            running[start(arguments, folder / name)] = (name, time.monotonic() + seconds)
        for child, (name, deadline) in list(running.items()):
            ended, code = os.waitpid(child, os.WNOHANG)
            if not ended and time.monotonic() < deadline:
                continue
            if not ended:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            (folder / f"{name}.status").write_text(str(os.waitstatus_to_exitcode(code)) if ended else HUNG)
            del running[child]
        time.sleep(0.02)


def warm_up(arguments: list[str], folder: Path) -> None:
    """Run a command here for what it imports, and put the streams back."""
    kept = [os.dup(stream) for stream in (1, 2)]
    status = run(arguments, folder / "warm")
    for stream, copy in zip((1, 2), kept, strict=True):
        os.dup2(copy, stream)
    if status:
        raise SystemExit((folder / "warm.err").read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
