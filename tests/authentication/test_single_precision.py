"""On a device without float64, the strict check runs on the CPU and says so; others run on the device."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_integration.encoders.running.devices import device_for, supports_float64
from tests.layouts.building import LAYOUTS
from tests.tiny_cards import FULL, mint_quickly

ROOT = Path(__file__).parents[2]
SAID = "run on cpu, as single:0 has no float64"
NAMES = ("EmbeddingGemma", "DINOv2")  # a mean, a tail with weights, and a class token
WRITTEN = {layout.name: layout for layout in LAYOUTS if layout.name in NAMES}

SCRIPT = """
import json, sys
import tests.encoders.single_precision_device
import torch
from hf_integration import WatermarkCard, load_encoder
from hf_integration.authentication import Authenticator
from hf_integration.encoders.running.devices import supports_float64

assert not supports_float64("single")
folder, card, modality = sys.argv[1:]
encoder = load_encoder(folder, device="single", modality=modality)
checks = {}
def check(name, precision):
    authenticator = Authenticator(card=WatermarkCard.load(card), trust="local", precision=precision)
    checks[name] = authenticator.authenticate(encoder).verdict.to_dict()
for precision in (None, "float32"):
    check(str(precision), precision)
assert {tensor.device.type for tensor in encoder.model.parameters()} == {"single"}
name, weight = max(encoder.parameters().items(), key=lambda item: item[1].numel())
with torch.no_grad():
    weight.copy_(weight.cpu() * (1 + 2**-20))
check("altered", None)
print(json.dumps({"checks": checks, "altered": name}))
"""


def _on_the_device(folder: Path, card: Path, modality: str) -> Any:
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(card), modality],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_device_without_float64_is_checked_strictly_on_the_cpu(name: str, tmp_path: Path) -> None:
    layout = WRITTEN[name]
    layout.write(tmp_path / "encoder")
    mint_quickly(tmp_path / "encoder", tmp_path / "card", modality=layout.modality, precisions=FULL)
    found = _on_the_device(tmp_path / "encoder", tmp_path / "card", layout.modality)
    altered = found["checks"].pop("altered")
    for asked, verdict in found["checks"].items():
        strict = asked == "None"
        assert verdict["precision"] == ("float64" if strict else asked)
        assert verdict["environment"]["device"] == ("cpu" if strict else "single:0")
        assert (SAID in verdict["reason"]) == strict
        assert all(strip["intact"] for strip in verdict["strips"]), (asked, verdict["reason"])
        assert verdict["tensors"]["changed"] == []
        # the class of the device's tensors is one of these tests, and of no library
        assert all("OnDevice, a class from outside the libraries" in line for line in verdict["process"])
    assert altered["status"] == "altered"
    assert altered["tensors"]["changed"] == [found["altered"]]
    assert any(not strip["intact"] for strip in altered["strips"])
    assert SAID in altered["reason"]


@pytest.mark.parametrize(("device", "has"), [("cpu", True), (torch.device("cpu"), True), ("meta", False)])
def test_what_computes_in_float64_is_found_out_by_computing(device: torch.device | str, has: bool) -> None:
    assert supports_float64(device) is has


@pytest.mark.parametrize("precision", ["float64", "float32", "float16", "bfloat16"])
def test_only_float64_leaves_a_device(precision: Any) -> None:
    assert device_for(precision, "cpu") == "cpu"
    assert device_for(precision, "meta") == ("cpu" if precision == "float64" else "meta")
