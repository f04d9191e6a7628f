"""On a device without float64, the strict check runs on the CPU and says so; others run on the device."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import backend_registration

from hf_integration.encoders.running.devices import device_for, supports_float64
from tests.layouts.building import LAYOUTS
from tests.tiny_cards import FULL, mint_quickly

ROOT = Path(__file__).parents[2]
SAID = "run on cpu, as single:0 has no float64"
# a mean, a tail with weights, and a class token
WRITTEN = [layout for layout in LAYOUTS if layout.name in ("EmbeddingGemma", "DINOv2")]

SCRIPT = """
import json, sys
import tests.encoders.single_precision_device
import torch
from hf_integration import WatermarkCard, load_encoder
from hf_integration.authentication import Authenticator
from hf_integration.encoders.running.devices import supports_float64

def checked(folder, modality):
    encoder = load_encoder(f"{folder}/encoder", device="single", modality=modality)
    card = WatermarkCard.load(f"{folder}/card")
    def check(precision):
        authenticator = Authenticator(card=card, trust="local", precision=precision)
        return authenticator.authenticate(encoder).verdict.to_dict()
    found = {str(precision): check(precision) for precision in (None, "float32")}
    assert {tensor.device.type for tensor in encoder.model.parameters()} == {"single"}
    name, weight = max(encoder.parameters().items(), key=lambda item: item[1].numel())
    with torch.no_grad():
        weight.copy_(weight.cpu() * (1 + 2**-20))
    return {"checks": found, "name": name, "altered": check(None)}

assert not supports_float64("single")
arguments = iter(sys.argv[1:])
print(json.dumps({folder: checked(folder, modality) for folder, modality in zip(arguments, arguments)}))
"""


@pytest.fixture(scope="module")
def on_the_device(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each encoder on the device, by the encoder's name."""
    if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch has no devices that are written in Python")
    folders = {layout.name: tmp_path_factory.mktemp("layout") for layout in WRITTEN}
    arguments: list[str] = []
    for layout in WRITTEN:
        folder = folders[layout.name]
        layout.write(folder / "encoder")
        mint_quickly(folder / "encoder", folder / "card", modality=layout.modality, precisions=FULL)
        arguments += [str(folder), layout.modality]
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    return {name: found[str(folder)] for name, folder in folders.items()}


@pytest.mark.parametrize("name", [layout.name for layout in WRITTEN])
@pytest.mark.parametrize("asked", ["None", "float32"])
def test_only_the_strict_check_leaves_a_device_without_float64(
    asked: str, name: str, on_the_device: dict[str, Any]
) -> None:
    verdict, strict = on_the_device[name]["checks"][asked], asked == "None"
    assert verdict["precision"] == ("float64" if strict else asked)
    assert verdict["environment"]["device"] == ("cpu" if strict else "single:0")
    assert (SAID in verdict["reason"]) == strict
    assert all(strip["intact"] for strip in verdict["strips"]), verdict["reason"]
    assert verdict["tensors"]["changed"] == []
    # the class of the device's tensors is one of these tests, and of no library: so it is no pass
    assert all("OnDevice, a class from outside the libraries" in line for line in verdict["process"])
    assert verdict["status"] == "inconclusive"


@pytest.mark.parametrize("name", [layout.name for layout in WRITTEN])
def test_an_alteration_on_a_device_without_float64_is_found(name: str, on_the_device: dict[str, Any]) -> None:
    found = on_the_device[name]
    assert found["altered"]["status"] == "altered"
    assert found["altered"]["tensors"]["changed"] == [found["name"]]
    assert any(not strip["intact"] for strip in found["altered"]["strips"])
    assert SAID in found["altered"]["reason"]


@pytest.mark.parametrize(("device", "has"), [("cpu", True), (torch.device("cpu"), True), ("meta", False)])
def test_what_computes_in_float64_is_found_out_by_computing(device: torch.device | str, has: bool) -> None:
    assert supports_float64(device) is has


@pytest.mark.parametrize("precision", ["float64", "float32", "float16", "bfloat16"])
def test_only_float64_leaves_a_device(precision: Any) -> None:
    assert device_for(precision, "cpu") == "cpu"
    assert device_for(precision, "meta") == ("cpu" if precision == "float64" else "meta")
