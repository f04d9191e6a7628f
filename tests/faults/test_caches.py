"""Caches that hold an encoder or do not, whole or damaged, with the Hub and without it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.running import Check, commands, run_pytest
from tests.faults.scene import TOKEN, WEIGHTS, Place, Scene

HUBS = {
    "online": {},
    "offline": {"HF_HUB_OFFLINE": "1"},
    "unplugged": {"HF_ENDPOINT": "http://127.0.0.1:9"},  # nobody listens there
}


@dataclass(frozen=True)
class Cache:
    """A cache with encoders that were checked once: ``whole``, ``edited`` and ``truncated``."""

    scene: Scene
    home: Path

    def check(self, state: str) -> Check:
        check = Check(f"cached/{state}")
        if state not in ("whole", "edited", "truncated"):
            Place(self.scene, check.repo).publish()
        return check

    def weights(self, state: str) -> Path:
        snapshots = self.home / "hub" / f"models--cached--{state}" / "snapshots"
        return next(snapshots.glob(f"*/{WEIGHTS}")).resolve()


@pytest.fixture(scope="module")
def filled(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache after a first check of all three."""
    folder = tmp_path_factory.mktemp("cache")
    checks = {state: Check(f"cached/{state}") for state in ("whole", "edited", "truncated")}
    for check in checks.values():
        Place(scene, check.repo).publish()
    first = commands(scene, checks, home=folder / "home", work=folder / "first", at_once=1)
    assert [ended.status for ended in first.values()] == [0, 0, 0]
    return folder / "home"


@pytest.fixture
def cache(scene: Scene, filled: Path, tmp_path: Path) -> Cache:
    built = Cache(scene, Path(shutil.copytree(filled, tmp_path / "home", symlinks=True)))
    edit(built.weights("edited"), lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    edit(built.weights("truncated"), lambda content: content[:-100])
    return built


@pytest.mark.parametrize("hub", HUBS)
def test_what_is_whole_is_used_and_what_is_not_is_named(
    scene: Scene, cache: Cache, tmp_path: Path, hub: str
) -> None:
    absent = f"absent-{hub}"
    checks = {state: cache.check(state) for state in ("whole", "edited", "truncated", absent)}
    right = {"whole": 0, "edited": 4, "truncated": 4, absent: 0 if hub == "online" else 3}
    blobs = {state: cache.weights(state) for state in ("edited", "truncated")}
    if hub == "offline":  # the others differ below the snapshot, which does not know who asks for it
        other = Path(shutil.copytree(cache.home, tmp_path / "other", symlinks=True))
        tests, output = run_pytest(scene, checks, home=other, work=tmp_path / "tests", env=HUBS[hub])
        outcomes = {state: "failed" if status else "passed" for state, status in right.items()}
        assert {state: done.outcome for state, done in tests.items()} == outcomes, output
        assert TOKEN not in output
    ended = commands(scene, checks, home=cache.home, work=tmp_path / "work", at_once=2, env=HUBS[hub])
    assert {state: done.status for state, done in ended.items()} == right
    for state, blob in blobs.items():
        (line,) = ended[state].lines
        assert WEIGHTS in line
        assert f"moved to {blob}.refused: try again" in line
        assert not blob.exists()  # where another program would take it for the commit's
    if hub != "online":
        (line,) = ended[absent].lines
        assert checks[absent].repo in line
        assert TOKEN not in line
    # what the message says is the remedy: trying again
    again = commands(scene, checks, home=cache.home, work=tmp_path / "again", at_once=2, env=HUBS[hub])
    healed = 0 if hub == "online" else 3
    assert {state: again[state].status for state in blobs} == dict.fromkeys(blobs, healed)


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file in place and set its times back."""
    before = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
