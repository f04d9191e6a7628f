"""Processes that download the same encoder at once, and processes that are killed while they do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.running import Check, command, commands
from tests.faults.scene import Place, Scene
from tests.hub_server import faults

SECONDS = 60


@pytest.mark.parametrize("count", [2, 8])
def test_processes_that_start_together_all_find_it_authentic(
    scene: Scene, home: Path, tmp_path: Path, count: int
) -> None:
    check = Check(f"org/together-{count}")
    Place(scene, check.repo).publish()
    checks = {f"process-{i}": check for i in range(count)}
    ended = commands(scene, checks, home=home, work=tmp_path / "work", at_once=count)
    assert [done.status for done in ended.values()] == [0] * count, [done.err for done in ended.values()]
    assert [done.lines for done in ended.values()] == [[]] * count
    assert leftovers(home) == []


@pytest.mark.parametrize("program", ["command", "test"])
def test_a_process_that_is_killed_while_downloading_leaves_nothing_in_the_way(
    scene: Scene, home: Path, tmp_path: Path, program: str
) -> None:
    check = Check(f"org/killed-{program}")
    place = Place(scene, check.repo)
    place.publish()
    place.transfer(faults.stall(9000))
    arguments = ["hf_integration.cli", *check.arguments]
    if program == "test":
        (tmp_path / "test_it.py").write_text(f"import pytest\n\n{check.marker}\ndef test_it():\n    pass\n")
        plugin = ["-p", "pytest_sslauth.plugin", "-p", "no:cacheprovider"]
        arguments = ["pytest", *plugin, f"--rootdir={scene.folder}", str(tmp_path / "test_it.py")]
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=scene.folder,
        env=scene.environment(home, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", HF_HUB_DOWNLOAD_TIMEOUT="60"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + SECONDS
    while not scene.hub.faults[-1].struck and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert scene.hub.faults.pop().struck, "it was over before it could be killed"
    assert command(scene, check, home=home).status == 0


def leftovers(home: Path) -> list[Path]:
    """Files of downloads that were not finished."""
    return list(home.rglob("*.incomplete"))
