"""Caches that are full, empty, edited, read-only or on a full disk, with and without the Hub."""

import ctypes
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.running import Check, Ended, command, run_pytest
from tests.faults.scene import TOKEN, WEIGHTS, Place, Scene

CHECK = Check("org/cached")
OFFLINE = {"HF_HUB_OFFLINE": "1"}
UNPLUGGED = {"HF_ENDPOINT": "http://127.0.0.1:9"}  # the port that discards; nobody listens
DROP_FROM_BOUNDS, OVERRIDE_PERMISSIONS = 24, 1  # numbers of Linux: prctl, and one of root's capabilities


@pytest.fixture(scope="module")
def filled(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the encoder, for copying."""
    Place(scene, CHECK.repo).publish()
    home = tmp_path_factory.mktemp("filled") / "home"
    assert command(scene, CHECK, home=home).status == 0
    return home


@pytest.fixture
def full(filled: Path, home: Path) -> Path:
    return Path(shutil.copytree(filled, home, symlinks=True))


def blob(home: Path) -> Path:
    """Where a cache keeps the weights."""
    return next((home / "hub").rglob(f"snapshots/*/{WEIGHTS}")).resolve()


def ends(scene: Scene, home: Path, status: int, *says: str, **options: Any) -> Ended:
    """Check by the command and by a test; both have to end alike."""
    ended = command(scene, CHECK, home=home, **options)
    said = "\n".join(ended.lines)
    assert ended.status == status, ended.err
    assert len(ended.lines) == (status != 0), said
    assert "Traceback" not in ended.err
    assert TOKEN not in ended.out + ended.err
    for words in says:
        assert words in said
    tests, output = run_pytest(scene, {"only": CHECK}, home=home, work=home.parent / "project", **options)
    assert tests["only"].outcome == ("failed" if status else "passed"), output
    assert TOKEN not in output
    return ended


@pytest.mark.usefixtures("filled")  # so that the Hub has it
class TestEmptyCache:
    @pytest.mark.parametrize("env", [OFFLINE, UNPLUGGED], ids=["offline", "unplugged"])
    def test_without_the_hub_nothing_is_known(self, scene: Scene, home: Path, env: dict[str, str]) -> None:
        ends(scene, home, 3, CHECK.repo, env=env)

    def test_a_cache_that_nobody_may_write_is_named(self, scene: Scene, home: Path) -> None:
        home.mkdir()
        home.chmod(0o555)
        ends(scene, home, 2, str(home), "--cache-dir", preexec_fn=like_anybody)
        home.chmod(0o755)
        assert command(scene, CHECK, home=home).status == 0

    def test_a_file_that_may_not_grow_so_large_is_no_weights(self, scene: Scene, home: Path) -> None:
        ends(scene, home, 2, "cannot be written", "make room", preexec_fn=small_files_only)
        assert command(scene, CHECK, home=home).status == 0

    def test_a_full_disk_is_named_and_nothing_stays_of_what_did_not_fit(
        self, scene: Scene, home: Path
    ) -> None:
        home.mkdir()
        mount(home, size="60k")
        try:
            ends(scene, home, 2, "cannot be written", "No space left", "make room")
            mount(home, size="4m", again=True)
            assert command(scene, CHECK, home=home).status == 0
        finally:
            subprocess.run(["umount", home], check=True)


class TestFullCache:
    @pytest.mark.parametrize("env", [OFFLINE, UNPLUGGED], ids=["offline", "unplugged"])
    def test_without_the_hub_it_is_enough(self, scene: Scene, full: Path, env: dict[str, str]) -> None:
        ends(scene, full, 0, env=env)

    def test_it_need_not_be_written(self, scene: Scene, full: Path) -> None:
        for path in (full, *full.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o555 if path.is_dir() else 0o444)
        ends(scene, full, 0, preexec_fn=like_anybody)
        for path in filter(Path.is_dir, (full, *full.rglob("*"))):
            path.chmod(0o755)

    @pytest.mark.parametrize("env", [{}, OFFLINE], ids=["online", "offline"])
    def test_an_edit_in_place_is_found_though_its_times_are_restored(
        self, scene: Scene, full: Path, env: dict[str, str]
    ) -> None:
        edit(blob(full), lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        ended = ends(scene, full, 4, WEIGHTS, str(blob(full)), env=env)
        assert "delete" in ended.err

    def test_a_truncated_file_is_found(self, scene: Scene, full: Path) -> None:
        edit(blob(full), lambda content: content[:-100])
        ends(scene, full, 4, WEIGHTS, str(blob(full)))
        blob(full).unlink()
        assert command(scene, CHECK, home=full).status == 0


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def like_anybody() -> None:
    """Let permissions hold for root too; called in the process that is about to become the command."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(DROP_FROM_BOUNDS, OVERRIDE_PERMISSIONS)


def small_files_only() -> None:
    """Let writing end at 40 KB, as a quota does; called likewise."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def mount(folder: Path, *, size: str, again: bool = False) -> None:
    """Put a small disk at a folder."""
    options = f"{'remount,' if again else ''}size={size}"
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk takes the right to mount, which only root has, and not everywhere")
