"""What ``sslauth verify --all`` takes for forty entries, beside what it takes for one.

Three projects: one entry; forty entries of one tiny encoder and its card; forty tiny encoders, equal but each
in a folder of its own, that share the folder of a card. Most of the time of one entry goes into starting a
process, which forty entries do no more often than there are processes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tiny_cards import save_with_card

ENTRIES = 40
ROUNDS = 3
GOALS = {"one encoder": 2.0, "an encoder each": 4.0}
"""Times one entry, in one process."""

MOST_MEMORY = 1.1
"""Largest memory of a process, times that of one entry."""


def run() -> list[str]:
    """Print time and memory of each project, in one process and by default."""
    short: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sslauth-fleet-") as place:
        root = Path(place)
        save_with_card(root / "tiny", root / "card")
        one = _project(root / "one", root, entries=1, encoders=1)
        projects = {
            "one encoder": _project(root / "shared", root, entries=ENTRIES, encoders=1),
            "an encoder each": _project(root / "each", root, entries=ENTRIES, encoders=ENTRIES),
        }
        base, memory = min(_run(one, jobs=1) for _ in range(ROUNDS))
        print(f"one entry: {base:.1f} s, {memory >> 20} MiB", flush=True)
        for name, project in projects.items():
            seconds, peak = min(_run(project, jobs=1) for _ in range(ROUNDS))
            ratio, more = seconds / base, peak / memory
            print(
                f"{ENTRIES} entries of {name}, one process: {seconds:.1f} s, {ratio:.2f} times one entry; "
                f"{peak >> 20} MiB, {more:.2f} times",
                flush=True,
            )
            if ratio > GOALS[name]:
                short.append(f"{name}: {ratio:.2f} times one entry, goal {GOALS[name]}")
            if more > MOST_MEMORY:
                short.append(f"{name}: {more:.2f} times the memory of one entry, goal {MOST_MEMORY}")
            seconds, _ = min(_run(project, jobs=None) for _ in range(ROUNDS))
            print(f"  in as many processes as by default: {seconds:.1f} s", flush=True)
    return short


def _project(root: Path, source: Path, *, entries: int, encoders: int) -> Path:
    root.mkdir()
    shutil.copytree(source / "card", root / "cards" / "tiny")
    for number in range(encoders):
        shutil.copytree(source / "tiny", root / "models" / str(number))
    lines = ["version = 1"]
    for number in range(entries):
        lines += [f"[encoders.e{number}]", f'path = "models/{number % encoders}"', 'card = "cards/tiny"']
    (root / "sslauth.toml").write_text("\n".join(lines) + "\n")
    return root


def _run(project: Path, *, jobs: int | None) -> tuple[float, int]:
    """Seconds on the clock, and bytes of the largest process that checks."""
    command = [sys.executable, "-m", "hf_integration.cli", "verify", "--all", "--format", "json", "-q"]
    command += [] if jobs is None else ["--jobs", str(jobs)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert {entry["outcome"] for entry in said["entries"]} == {"authentic"}
    return seconds, said["peak_bytes"]
