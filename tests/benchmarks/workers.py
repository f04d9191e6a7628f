"""What eight encoders cost a run of pytest in two workers and in one process: time, checks made, and memory.

Each encoder is asked for three times: by its entry of ``sslauth.toml``, by a marker, and by a fixture. Runs
of both kinds take turns, since other programs on the machine slow down whichever runs beside them.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.subjects import Subject
from tests.tiny_cards import save_with_card

ENCODERS = 8
PAIRS = 3
GOAL = 1.0
"""Time in two workers by time in one process; only a real encoder takes longer than to start a worker."""

MOST_MEMORY = 1.1
"""Largest memory of a process that checks all encoders, by that of one that checks a single one."""

CONFTEST = """
import resource


def pytest_configure(config):
    from pytest_sslauth import engine

    check = engine.authenticate

    def counted(subject, request, settings):
        with open(config.rootpath / "checks.txt", "a") as file:
            print(subject.encoder.name, file=file)
        return check(subject, request, settings)

    if hasattr(config, "workerinput") or config.getoption("numprocesses", None) in (None, 0):
        engine.authenticate = counted


def pytest_unconfigure(config):
    with open(config.rootpath / "memory.txt", "a") as file:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=file)
"""

TESTS = """
import pytest


@pytest.mark.sslauth("{name}")
def test_marked():
    pass


@pytest.mark.parametrize("authentic_encoder", ["{name}"], indirect=True)
def test_handed_over(authentic_encoder):
    assert authentic_encoder.verdict.authentic
"""


@dataclass(frozen=True)
class Run:
    """One run of pytest: seconds on the clock and of processors, checks, and the largest memory in MiB."""

    seconds: float
    worked: float
    checks: int
    memory: float


def run(subject: Subject) -> list[str]:
    """Print a row for each kind of run, of tiny encoders and of the real one."""
    with tempfile.TemporaryDirectory(prefix="sslauth-workers-") as place:
        root = Path(place)
        save_with_card(root / "tiny", root / "tiny-card")
        _measure("tiny BERT", root / "tiny", root / "tiny-card", root / "of-tiny")
        card = subject.card.save(root / "card")
        assert card.digest == subject.card.digest
        return _measure(subject.name, subject.folder, root / "card", root / "of-real")


def _measure(name: str, encoder: Path, card: Path, root: Path) -> list[str]:
    _project(root, encoder, card)
    one = _run(root, "-n0", "-k", "e0")
    print(f"{name}, one encoder in one process: {one.seconds:.1f} s, {one.memory:.0f} MiB", flush=True)
    ratios, short = [], []
    for _ in range(PAIRS):
        alone, workers = _run(root, "-n0"), _run(root, "-n2")
        ratios.append(workers.seconds / alone.seconds)
        for what, found in (("-n0", alone), ("-n2", workers)):
            print(
                f"  {what}: {found.seconds:5.1f} s, {found.worked:5.1f} s of processors, {found.checks} "
                f"checks of {ENCODERS} encoders, each asked for 3 times, at most {found.memory:.0f} MiB",
                flush=True,
            )
            if found.checks != ENCODERS:
                short.append(f"{what}: {found.checks} checks, goal {ENCODERS}")
            if found.memory > MOST_MEMORY * one.memory:
                short.append(f"{what}: {found.memory / one.memory:.2f} times the memory, goal {MOST_MEMORY}")
    ratio = statistics.median(ratios)
    print(f"median of {PAIRS} pairs: -n2 takes {ratio:.2f} times as long as -n0", flush=True)
    return [*short, *([f"-n2 takes {ratio:.2f} times as long as -n0, goal {GOAL}"] if ratio > GOAL else [])]


def _project(root: Path, encoder: Path, card: Path) -> None:
    lines = ["version = 1"]
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "conftest.py").write_text(CONFTEST)
    for name in (f"e{number}" for number in range(ENCODERS)):
        shutil.copytree(encoder, root / "models" / name)
        shutil.copytree(card, root / "cards" / name)
        (root / f"test_{name}.py").write_text(TESTS.format(name=name))
        lines += [f"[encoders.{name}]", f'path = "models/{name}"', f'card = "cards/{name}"']
    (root / "sslauth.toml").write_text("\n".join(lines) + "\n")


def _run(root: Path, *arguments: str) -> Run:
    for file in ("checks.txt", "memory.txt"):
        (root / file).unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--sslauth-device=cpu"]
    begin, worked = time.perf_counter(), _processors()
    done = subprocess.run([*command, *arguments], cwd=root, capture_output=True, text=True, check=False)
    seconds, spent = time.perf_counter() - begin, _processors() - worked
    assert done.returncode == 0, done.stdout
    checks = (root / "checks.txt").read_text().splitlines()
    memory = [float(line) for line in (root / "memory.txt").read_text().splitlines()]
    return Run(seconds, spent, len(checks), max(memory))


def _processors() -> float:
    """Seconds that processors worked for processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
