"""The real MiniLM in the form of every runtime: authentic, and altered by one step of fine-tuning."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from hf_integration.base.progress import Silent
from hf_integration.converted.behaviour import Expected
from hf_integration.converted.check import check_converted
from hf_integration.converted.copy_knowledge import CopyKnowledge
from hf_integration.converted.original import of_copy
from hf_integration.converted.recognising import open_converted
from hf_integration.converted.weights import explain
from hf_integration.encoders import open_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.tampering.weights.fine_tuning import fine_tune
from hf_integration.verdict import Verdict
from tests.converted.making import ALL, Kind, saved
from tests.real_encoders.minilm import MISSING, minilm_folder

pytestmark = [
    pytest.mark.skipif("SSLAUTH_CONVERTED" not in os.environ, reason="takes minutes: tox run -e converted"),
    pytest.mark.skipif(minilm_folder() is None, reason=MISSING),
]


@pytest.fixture(scope="module")
def minilm() -> TorchEncoder:
    folder = minilm_folder()
    assert folder is not None
    opened = open_encoder(folder, name="minilm", device="cpu")
    assert isinstance(opened, TorchEncoder)
    return opened


@pytest.fixture(scope="module")
def stepped(minilm: TorchEncoder, tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
    """A copy after one step of AdamW at a learning rate of 1e-7."""
    copy = minilm.duplicate()
    fine_tune(1)(copy, 1e-7, 0)
    assert minilm.path is not None
    return saved(copy, minilm.path, tmp_path_factory.mktemp("stepped") / "folder")


def checked(minilm: TorchEncoder, copy: TorchEncoder, kind: Kind, folder: Path) -> Verdict:
    kind.make(copy, folder)
    converted = open_converted(folder, of_copy(minilm), kind.runtime)
    expected = Expected.named(kind.serving)
    authentication, _ = check_converted(
        CopyKnowledge(minilm), converted, expected, trust="local", progress=Silent(), keys=24
    )
    return authentication.verdict


@pytest.mark.parametrize("row", ALL)
def test_is_what_it_is_in_every_runtime(
    minilm: TorchEncoder, stepped: TorchEncoder, tmp_path: Path, row: str
) -> None:
    kind = ALL[row]
    if find_spec(kind.module) is None:
        pytest.skip(f"needs the extra {kind.runtime}")
    verdict = checked(minilm, minilm, kind, tmp_path / "unaltered")
    assert verdict.status == ("inconclusive" if kind.runtime == "gguf" else "authentic"), verdict.reason
    assert verdict.conversion is not None
    assert verdict.conversion.file.finding == "fits"
    kind.make(stepped, tmp_path / "stepped")
    converted = open_converted(tmp_path / "stepped", of_copy(minilm), kind.runtime)
    assert len(explain(minilm, converted.tensors(), tail=False).changed) > 50


def test_one_step_of_fine_tuning_is_altered(
    minilm: TorchEncoder, stepped: TorchEncoder, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    verdict = checked(minilm, stepped, ALL["onnx"], tmp_path / "stepped")
    assert verdict.status == "altered"
    assert verdict.conversion is not None
    assert [verdict.conversion.file.finding, verdict.conversion.behaviour.finding] == ["differs", "differs"]
