"""Whatever ends minting, no secret stays on a disk and no process of it lives on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.encoders import tiny_models

SEED = 8_241_739_550_123_467_019


Minting = tuple["subprocess.Popen[bytes]", list[psutil.Process]]


@pytest.fixture
def minting(tmp_path: Path) -> Minting:
    """``mint --secret`` while its workers run under other instruction sets, and the workers."""
    folder = tiny_models.save("bert", tmp_path / "tiny")
    (tmp_path / "temporary").mkdir()
    command = ["mint", str(folder), "--out", str(tmp_path / "card"), "--secret", "--seed", str(SEED)]
    process = subprocess.Popen(
        [sys.executable, "-m", "hf_integration.cli", *command],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 120
    while not (workers := _workers(process)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert workers, "minting ended before it could be interrupted"
    for worker in workers:  # what a worker is given is seen by nobody else
        assert str(SEED) not in " ".join(worker.cmdline())
    return process, workers


def _workers(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "hf_integration.minting.worker" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_no_secret_stays_and_no_worker_lives_on(name: str, minting: Minting, tmp_path: Path) -> None:
    process, workers = minting
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=60)
    if name != "SIGKILL":
        assert process.returncode == 130, said
        assert b"interrupted" in said
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    left = [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]
    for path in left:
        content = path.read_bytes()
        assert str(SEED).encode() not in content
        assert b"key_samples" not in content
    assert not (tmp_path / "card").exists()
