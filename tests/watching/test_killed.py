"""Whoever is killed while recording leaves a history that reads, with the check or without it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.watching.killing import NO_PTRACE

Points = list[dict[str, Any]]


@pytest.fixture(scope="module")
def points() -> dict[str, Points]:
    """What is there after a kill at each point, by whether the history was there before."""
    if sys.platform != "linux":
        pytest.skip("processes are stopped by Linux's ptrace")
    in_memory = Path("/dev/shm")  # noqa: S108  # each record waits for the disk several times
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as folder:
        program = [sys.executable, "-m", "tests.watching.killing", folder]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode == NO_PTRACE:
        pytest.skip("no process may be traced here")
    assert done.returncode == 0, done.stderr
    found: dict[str, Points] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("kind", "before"), [("new", []), ("old", ["altered"])])
def test_at_every_system_call(points: dict[str, Points], kind: str, before: list[str]) -> None:
    for point in points[kind]:
        assert point["read"] in (before, [*before, "authentic"]), point
        assert point["next"] == len(point["read"]) + 1, point


@pytest.mark.parametrize("kind", ["new", "old"])
def test_the_kills_struck_before_within_and_after_the_writing(points: dict[str, Points], kind: str) -> None:
    assert len(points[kind]) > 50
    assert [point for point in points[kind] if "-journal" in point["left"]]
    # each point is a run of its own, and two runs may differ by a call: the order is not strict
    recorded = ["authentic" in point["read"] for point in points[kind]]
    assert not recorded[0]
    assert recorded[-1]
