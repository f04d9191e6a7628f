"""Compiled code and other devices: run where they can be, and a reason where they cannot."""

from typing import Any

import pytest
import torch

from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.stress import unaltered_elsewhere
from hf_integration.stress.unaltered_elsewhere import compiled_run, other_device, other_device_run

Pair = tuple[Encoder, WatermarkCard]


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Traces as torch.compile does, and runs what was traced as it is: no C++ compiler, no half minute."""
    sizes: list[int] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        sizes.append(len(graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr("torch._dynamo.lookup_backend", lambda _: backend)
    return sizes


def test_compiled_code_is_run_and_the_encoder_stays_as_it_is(pair: Pair, quick_compiler: list[int]) -> None:
    change = compiled_run(*pair, "float32")
    assert change.margin is not None, change.note
    assert change.margin > 1
    assert sum(quick_compiler) > 20  # more than a leaf was compiled
    assert pair[0].in_process_changes() == ()


def test_a_compiled_encoder_that_computes_something_else_is_an_alarm(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backend(graph: Any, _inputs: Any) -> Any:
        return lambda *inputs: tuple(
            out * 1.01 if isinstance(out, torch.Tensor) and out.is_floating_point() else out
            for out in graph.forward(*inputs)
        )

    monkeypatch.setattr("torch._dynamo.lookup_backend", lambda _: backend)
    assert compiled_run(*pair, "float32").false_alarm


def test_without_a_compiler_it_is_not_run_and_says_why(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Any:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr("torch._dynamo.lookup_backend", missing)
    change = compiled_run(*pair, "float32")
    assert (change.margin, change.false_alarm) == (None, False)
    assert "torch.compile cannot run here" in change.note
    assert "No working C++ compiler found" in change.note


def test_another_device_is_opened_from_the_folder(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unaltered_elsewhere, "other_device", lambda _: "cpu")
    change = other_device_run(*pair, "float32")
    assert change.name == "other device (cpu)"
    assert (change.margin or 0) > 1


def test_no_other_device_is_said(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_: None)
    assert other_device(pair[0]) is None
    change = other_device_run(*pair, "float64")
    assert (change.margin, change.note) == (None, "there is no accelerator here")


def test_a_device_without_float64_is_not_run_in_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_: torch.device("mps"))
    change = other_device_run(*pair, "float64")
    assert (change.name, change.margin) == ("other device (mps)", None)
    assert "float64" in change.note


def test_an_encoder_in_memory_cannot_be_opened_elsewhere(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unaltered_elsewhere, "other_device", lambda _: "cpu")
    other = pair[0].duplicate()
    other.path = None
    assert other_device_run(other, pair[1], "float32").note == "the encoder is only in memory"
