"""Memory that was freed goes back to the system, and whoever waits is told all the same."""

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hf_integration import load_encoder, mint
from hf_integration.base import memory
from hf_integration.base.memory import GivingBack
from hf_integration.key_samples import KeySamples
from tests.encoders import tiny_models

_KEPT = """
import os
import psutil
from hf_integration.base.memory import give_back

def resident():
    return psutil.Process(os.getpid()).memory_info().rss

blocks = [bytes(100_000) for _ in range(2_000)]
kept = blocks[::100]
del blocks
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back")
def test_what_was_freed_between_blocks_in_use_goes_back() -> None:
    ended = subprocess.run([sys.executable, "-c", _KEPT], check=True, capture_output=True, text=True)
    assert int(ended.stdout) > 100_000_000


def test_no_other_c_library_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    for failing in (lambda _: object(), lambda _: (_ for _ in ()).throw(OSError)):
        monkeypatch.setattr("ctypes.CDLL", failing)
        memory.give_back()


class _Told:
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.steps = self.seconds = 0.0

    def expect(self, seconds: float, stages: Any) -> None:  # noqa: ARG002
        self.seconds += seconds

    def start(self, what: str, total: int) -> None:  # noqa: ARG002
        self.stages.append(what)

    def advance(self, count: int = 1) -> None:
        self.steps += count


def test_each_stage_of_minting_begins_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    given: list[int] = []
    told = _Told()
    monkeypatch.setattr(memory, "give_back", lambda: given.append(len(told.stages)))
    encoder = load_encoder(str(tiny_models.save("bert", tmp_path)), device="cpu")
    mint(encoder, key_samples=KeySamples(tiny_models.TEXTS, origin="test"), progress=told)
    assert len(told.stages) > 3
    assert given == list(range(len(told.stages)))
    assert told.steps > 10
    assert told.seconds > 10


def test_it_passes_on_what_it_is_told() -> None:
    told = _Told()
    passing = GivingBack(told)
    passing.expect(3.0, {})
    passing.start("references", 2)
    passing.advance(2)
    assert (told.seconds, told.stages, told.steps) == (3.0, ["references"], 2)
