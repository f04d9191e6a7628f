"""Infinity over loopback with the real MiniLM, and with copies of it that were altered."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest
import torch
from torch import Tensor

from hf_integration.cli import main
from tests.real_encoders.minilm import MISSING, minilm_folder
from tests.real_servers.processes import infinity, infinity_with

pytestmark = pytest.mark.skipif(
    infinity() is None, reason="Infinity is not installed (SSLAUTH_INFINITY names its command)"
)


@pytest.fixture(scope="session")
def minilm() -> Path:
    folder = minilm_folder()
    if folder is None:
        pytest.skip(MISSING)
    return folder


Edit = Callable[[dict[str, Tensor]], None]


def one_weight(tensors: dict[str, Tensor]) -> None:
    weight = tensors["encoder.layer.3.output.dense.weight"]
    weight[7, 11] += 0.1 * weight.std()


def one_step(tensors: dict[str, Tensor]) -> None:
    """As far as the first step of AdamW at a learning rate of 1e-6 moves every matrix."""
    generator = torch.Generator().manual_seed(0)
    for weight in tensors.values():
        if weight.ndim == 2 and weight.is_floating_point():
            weight.add_(torch.randn(weight.shape, generator=generator).sign(), alpha=1e-6)


def noise(tensors: dict[str, Tensor]) -> None:
    """A hundredth of each matrix, at random."""
    generator = torch.Generator().manual_seed(0)
    for weight in tensors.values():
        if weight.ndim == 2 and weight.is_floating_point():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.01 * float(weight.std()))


def altered(source: Path, target: Path, edit: Edit) -> Path:
    """A copy with edited weights."""
    from safetensors.torch import load_file, save_file

    copytree(source, target)
    tensors = {name: tensor.clone() for name, tensor in load_file(source / "model.safetensors").items()}
    edit(tensors)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target


def verify(copy: Path, url: str, *options: str) -> int:
    return main(["verify", str(copy), "--endpoint", url, "--api-model", "encoder", *options])


@pytest.fixture(scope="session")
def honest(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with infinity_with(minilm, "--dtype", "float32", log=tmp_path_factory.mktemp("honest") / "log") as url:
        yield url


@pytest.mark.parametrize("serving", [(), ("--serving", "torch"), ("--serving", "infinity")], ids=str)
def test_the_real_encoder_is_authentic(serving: tuple[str, ...], minilm: Path, honest: str) -> None:
    assert verify(minilm, honest, *serving) == 0


@pytest.mark.parametrize("serving", ["tei", "ollama", "float16-weights"])
def test_another_recipe_is_no_pass_and_the_right_one_is_named(
    serving: str, minilm: Path, honest: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert verify(minilm, honest, "--serving", serving) == 3
    assert "this is the encoder, but not as expected" in capfd.readouterr().out


@pytest.mark.parametrize("edit", [one_weight, one_step])
def test_an_altered_copy_is_altered(edit: Edit, minilm: Path, tmp_path: Path) -> None:
    served = altered(minilm, tmp_path / "altered", edit)
    with infinity_with(served, "--dtype", "float32", log=tmp_path / "log") as url:
        assert verify(minilm, url, "--serving", "torch") == 1
        assert verify(minilm, url) == 3
        assert verify(served, url) == 0


@pytest.mark.parametrize("dtype", ["bfloat16"])
def test_half_precision_behind_the_door_is_named(
    dtype: str, minilm: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with infinity_with(minilm, "--dtype", dtype, log=tmp_path / "log") as url:
        assert verify(minilm, url, "--serving", "torch") == 3
        assert f"these may be the encoder's answers, computed in {dtype}, or" in capfd.readouterr().out
        assert verify(minilm, url, "--serving", dtype) == 0


def test_identify_names_how_infinity_computes(
    minilm: Path, honest: str, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["identify", str(minilm), "--endpoint", honest, "--api-model", "encoder", "--keys", "24"]
    assert main([*command, "--quiet"]) == 0
    assert capfd.readouterr().out == "torch: as the encoder itself\n"
