"""Key samples split between the processes of one launch: every process reaches the same verdict."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def _launch(script: str, tmp_path: Path, folder: Path, card: str) -> list[dict[str, Any]]:
    """Run the script in two processes, and give what each found."""
    (tmp_path / "script.py").write_text(script)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "script.py"]
    finished = subprocess.run(
        [sys.executable, *launch, str(folder), card, str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return [json.loads((tmp_path / rank).read_text()) for rank in "01"]


def test_two_processes_share_the_key_samples_and_reach_the_verdict_of_one(
    minted: Callable[[str], Minted], tmp_path: Path
) -> None:
    encoder, folder, card = minted("bert")
    first, second = _launch(SCRIPT, tmp_path, folder, card.location)
    assert first.pop("ran") == second.pop("ran") == [len(card.key_samples) // 2]
    assert first == second
    alone = authenticate(encoder, card)
    assert (first["status"], alone.status) == ("authentic", "authentic")
    assert [strip["name"] for strip in first["strips"]] == [strip.name for strip in alone.strips]


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
