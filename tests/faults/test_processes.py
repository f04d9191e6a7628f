"""Processes that download the same encoder at once, and processes that are killed while they do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.running import Check, commands
from tests.faults.scene import Place, Scene
from tests.hub_server import faults

SECONDS = 60  # until a process has come to the weights, on a busy machine


def test_two_and_eight_processes_that_start_together_all_find_it_authentic(
    scene: Scene, home: Path, tmp_path: Path
) -> None:
    waves = [{f"{i}-of-{count}": Check(f"org/for-{count}") for i in range(count)} for count in (2, 8)]
    for wave in waves:
        Place(scene, wave[next(iter(wave))].repo).publish()
    ended = commands(scene, *waves, home=home, work=tmp_path / "work", at_once=8)
    assert [done.status for done in ended.values()] == 10 * [0], [done.err for done in ended.values()]
    assert [done.lines for done in ended.values()] == 10 * [[]]
    assert unfinished(home) == []


def test_processes_that_are_killed_while_downloading_leave_nothing_in_the_way(
    scene: Scene, home: Path, tmp_path: Path
) -> None:
    by_command, by_test = Check("org/killed-command"), Check("org/killed-test")
    kill_in_the_weights(scene, by_command, home, "hf_integration.cli", *by_command.arguments)
    test = tmp_path / "test_it.py"
    test.write_text(f"import pytest\n\n{by_test.marker}\ndef test_it():\n    pass\n")
    plugin = ["-p", "pytest_sslauth.plugin", "-p", "no:cacheprovider"]
    kill_in_the_weights(scene, by_test, home, "pytest", *plugin, f"--rootdir={scene.folder}", test)
    checks = {"command": by_command, "test": by_test}
    again = commands(scene, checks, home=home, work=tmp_path / "again", at_once=2)
    assert {name: done.status for name, done in again.items()} == {"command": 0, "test": 0}


def kill_in_the_weights(scene: Scene, check: Check, home: Path, *arguments: str | Path) -> None:
    """Kill a program when some of the weights have come and the rest does not."""
    place = Place(scene, check.repo)
    place.publish()
    place.transfer(faults.stall(9000))
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=scene.folder,
        env=scene.environment(home, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", HF_HUB_DOWNLOAD_TIMEOUT="60"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + SECONDS
    while not scene.hub.faults[-1].struck and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before it could be killed"
    assert scene.hub.faults.pop().struck
    assert unfinished(home)


def unfinished(home: Path) -> list[Path]:
    """Files of downloads that did not come to their end."""
    return list(home.rglob("*.incomplete"))
