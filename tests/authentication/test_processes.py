"""Key samples split between the processes of one launch: every process reaches the same verdict."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hf_integration import authenticate
from tests.authentication.conftest import Minted

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, os, sys
from pathlib import Path
from typing import Any
from hf_integration import WatermarkCard, authenticate, load_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder

ran = []
observe = TorchEncoder.observe
TorchEncoder.observe = lambda self, some, **options: ran.append(len(some)) or observe(self, some, **options)
verdict = authenticate(load_encoder(sys.argv[1], device="cpu"), WatermarkCard.load(sys.argv[2]))
found = {**verdict.to_dict(), "ran": ran, "seconds": 0}
Path(sys.argv[3], os.environ["RANK"]).write_text(json.dumps(found))
"""


FAILING = """
import os, sys
from hf_integration.encoders.running.torch_encoder import TorchEncoder

honest = TorchEncoder.observe

def fails_in_the_second(self, some, **options):
    if os.environ["RANK"] == "1":
        raise MemoryError("no room")
    return honest(self, some, **options)

TorchEncoder.observe = fails_in_the_second
"""


TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2")
# without --multi_gpu it starts one process where there is no accelerator, whatever number is asked for
ACCELERATE = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0")


def _started(launcher: Sequence[str], *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *launcher, *arguments],
        cwd=home,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "", "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _launch(
    script: str, tmp_path: Path, folder: Path, card: str, *, launcher: Sequence[str] = TORCHRUN
) -> list[dict[str, Any]]:
    """Run the script in two processes, and give what each found."""
    (tmp_path / "script.py").write_text(script)
    finished = _started(launcher, "script.py", str(folder), card, str(tmp_path), home=tmp_path)
    assert finished.returncode == 0, finished.stderr
    return [json.loads((tmp_path / rank).read_text()) for rank in "01"]


@pytest.mark.parametrize("launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate launch"])
def test_two_processes_share_the_key_samples_and_reach_the_verdict_of_one(
    launcher: Sequence[str], minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    encoder, folder, card = minted("bert")
    first, second = _launch(SCRIPT, tmp_path, folder, card.location, launcher=launcher)
    assert first.pop("ran") == second.pop("ran") == [len(card.key_samples) // 2]
    assert first == second
    alone = authenticate(encoder, card)
    assert (first["status"], alone.status) == ("authentic", "authentic")
    assert [strip["name"] for strip in first["strips"]] == [strip.name for strip in alone.strips]


LAUNCHED = """
import pytest

@pytest.mark.sslauth({authentic!r}, card={card!r})
def test_authentic(): ...

@pytest.mark.sslauth({altered!r}, card={card!r})
def test_altered(): ...
"""


def test_pytest_in_a_launch_finds_the_same_in_both_processes(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    _, folder, card = minted("bert")
    altered = shutil.copytree(folder, tmp_path / "altered")
    weights = bytearray((altered / "model.safetensors").read_bytes())
    weights[-2] ^= 1
    (altered / "model.safetensors").write_bytes(weights)
    named = {"authentic": str(folder), "altered": str(altered), "card": card.location}
    (tmp_path / "test_launched.py").write_text(LAUNCHED.format(**named))
    finished = _started(
        ACCELERATE, "-m", "pytest", "-p", "no:cacheprovider", "test_launched.py", home=tmp_path
    )
    assert finished.returncode != 0
    assert finished.stdout.count("FAILED test_launched.py::test_altered") == 2, finished.stdout
    assert finished.stdout.count("1 failed, 1 passed") == 2, finished.stdout


WITHIN = """
from hf_integration.authentication import authenticator
whole = authenticator.Authenticator
authenticator.Authenticator = lambda **options: whole(**options, budget=0)
"""


def test_a_budget_ends_in_all_processes_at_once(minted: Callable[[str], Minted], tmp_path: Path) -> None:
    _, folder, card = minted("bert")
    first, second = _launch(WITHIN + SCRIPT, tmp_path, folder, card.location)
    assert first == second
    assert first["status"] == "authentic"


def test_where_one_process_fails_the_other_neither_waits_nor_passes(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    _, folder, card = minted("bert")
    first, second = _launch(FAILING + SCRIPT, tmp_path, folder, card.location)
    assert first["status"] == second["status"] == "inconclusive"
    assert "in another process: MemoryError: no room" in first["reason"]
    assert second["reason"].endswith("could not be run: MemoryError: no room")
