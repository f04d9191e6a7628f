"""Full precision is forced inside, and everything is as the caller had it outside."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from hf_integration.encoders.running.devices import full_precision

FLAGS = [
    ("cudnn", "benchmark", True, False),
    ("cudnn", "deterministic", False, True),
    ("cudnn", "allow_tf32", True, False),
    ("cuda.matmul", "allow_tf32", True, False),
    ("cuda.matmul", "allow_fp16_reduced_precision_reduction", True, False),
    ("cuda.matmul", "allow_bf16_reduced_precision_reduction", True, False),
]
OPERATIONS = ["cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"]


def backend(path: str) -> Any:
    return functools.reduce(getattr, path.split("."), torch.backends)


@pytest.fixture(autouse=True)
def usual_settings() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision("highest")
    for path in OPERATIONS:
        backend(path).fp32_precision = "ieee" if path.endswith("matmul") else "none"
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False


@pytest.mark.parametrize(("path", "name", "outside", "inside"), FLAGS)
def test_a_switch_is_forced_and_restored(path: str, name: str, outside: bool, inside: bool) -> None:
    setattr(backend(path), name, outside)
    with full_precision():
        assert getattr(backend(path), name) is inside
    assert getattr(backend(path), name) is outside


@pytest.mark.parametrize("setting", ["medium", "high"])
def test_the_matmul_precision_is_forced_and_restored(setting: str) -> None:
    torch.set_float32_matmul_precision(setting)
    with full_precision():
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == setting


@pytest.mark.skipif(
    not hasattr(torch.backends, "fp32_precision"), reason="this torch has only the older switches"
)
@pytest.mark.parametrize("path", OPERATIONS)
def test_an_operation_set_by_the_newer_switches_is_forced_and_restored(path: str) -> None:
    # The older ones now refuse to be read, because the caller mixed them.
    backend(path).fp32_precision = "tf32"
    with full_precision():
        assert {backend(operation).fp32_precision for operation in OPERATIONS} == {"ieee"}
    assert backend(path).fp32_precision == "tf32"


def test_autocast_and_gradients_are_off_inside() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with full_precision():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
            assert torch.is_inference_mode_enabled()
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert not torch.is_inference_mode_enabled()


def test_settings_come_back_after_an_exception() -> None:
    torch.set_float32_matmul_precision("medium")
    with pytest.raises(KeyError), full_precision():
        raise KeyError
    assert torch.get_float32_matmul_precision() == "medium"
