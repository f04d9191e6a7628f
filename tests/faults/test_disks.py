"""Disks that are full or must not be written to."""

import ctypes
import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.faults.running import Check, command, run_pytest
from tests.faults.scene import TOKEN, Place, Scene

CHECK = Check("org/on-disk")
DROP_FROM_BOUNDS, OVERRIDE_PERMISSIONS = 24, 1  # numbers of Linux: prctl, and one of root's capabilities


@pytest.fixture(scope="module", autouse=True)
def published(scene: Scene) -> None:
    Place(scene, CHECK.repo).publish()


def ends(scene: Scene, home: Path, status: int, *says: str, **options: Any) -> None:
    """Check by the command and by a test; both have to end alike."""
    ended = command(scene, CHECK, home=home, **options)
    said = "\n".join(ended.lines)
    assert ended.status == status, ended.err
    assert len(ended.lines) == (status != 0), said
    work = Path(tempfile.mkdtemp(dir=home.parent)) / "project"
    tests, output = run_pytest(scene, {"only": CHECK}, home=home, work=work, **options)
    assert tests["only"].outcome == ("failed" if status else "passed"), output
    for words in says:
        assert words in said
        assert words in tests["only"].report
    for text in (ended.out, ended.err, output):
        assert TOKEN not in text
        assert "Traceback" not in text


def test_a_cache_that_must_not_be_written_is_named_while_it_is_empty_and_used_when_it_is_full(
    scene: Scene, home: Path
) -> None:
    home.mkdir()
    home.chmod(0o555)
    ends(scene, home, 2, str(home), "cannot be written", "--cache-dir", preexec_fn=like_anybody)
    home.chmod(0o755)
    assert list(home.iterdir()) == []
    ends(scene, home, 2, "cannot be written", "make room", preexec_fn=small_files_only)
    assert command(scene, CHECK, home=home).status == 0
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    ends(scene, home, 0, preexec_fn=like_anybody)
    for path in filter(Path.is_dir, (home, *home.rglob("*"))):
        path.chmod(0o755)


def test_a_full_disk_is_named_and_with_more_room_the_check_goes_on(scene: Scene, home: Path) -> None:
    home.mkdir()
    mount(home, size="60k")
    try:
        ends(scene, home, 2, "cannot be written", "No space left", "make room")
        mount(home, size="4m", again=True)
        assert command(scene, CHECK, home=home).status == 0
    finally:
        subprocess.run(["umount", home], check=True)


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
    mounting: list[str | Path] = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    try:
        subprocess.run(mounting, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk takes the right to mount, which only root has, and not everywhere")
