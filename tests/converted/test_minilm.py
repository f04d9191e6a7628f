"""The real MiniLM in the form of every runtime: authentic, and altered by one step of fine-tuning."""

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from hf_integration.base.progress import Silent
from hf_integration.converted.behaviour import Expected
from hf_integration.converted.card_lookup import CardLookup
from hf_integration.converted.check import check_converted
from hf_integration.converted.copy_knowledge import CopyKnowledge
from hf_integration.converted.onnx_graph import read_graph
from hf_integration.converted.original import of_copy
from hf_integration.converted.recognising import open_converted
from hf_integration.converted.runtime import Integers
from hf_integration.converted.weights import FEW_INTEGERS, account, explain
from hf_integration.encoders import open_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.tampering.weights.fine_tuning import fine_tune
from hf_integration.verdict import Verdict
from tests.converted.cards import by_card, installed, minted
from tests.converted.making import ALL, Kind, one_step, onnx_folder, quantised, saved
from tests.real_encoders.minilm import MISSING, minilm_folder

KINDS = ("float32", "int8", "uint8")

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


@pytest.fixture(scope="module")
def card(minilm: TorchEncoder) -> WatermarkCard:
    """Its card, with every conversion that can be made here."""
    return minted(minilm, installed())


@pytest.mark.parametrize("row", ALL)
def test_a_card_alone_says_the_same_of_every_runtime(
    minilm: TorchEncoder, stepped: TorchEncoder, card: WatermarkCard, tmp_path: Path, row: str
) -> None:
    kind = ALL[row]
    if find_spec(kind.module) is None:
        pytest.skip(f"needs the extra {kind.runtime}")
    for encoder, status in ((minilm, "authentic"), (stepped, "altered")):
        folder = tmp_path / status
        kind.make(encoder, folder)
        verdict = by_card(card, folder, kind.serving, runtime=kind.runtime)
        open_ones = kind.runtime == "gguf" and status == "authentic"
        assert verdict.status == ("inconclusive" if open_ones else status), verdict.reason
        assert verdict.conversion is not None
        assert verdict.conversion.file.finding == ("fits" if status == "authentic" else "differs")


def test_every_array_of_the_file_that_is_moved_by_one_step_is_named_by_its_card(
    minilm: TorchEncoder, card: WatermarkCard, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    file = onnx_folder(minilm, tmp_path / "folder") / "onnx" / "model.onnx"
    for source in (file, quantised(file, tmp_path / "int8.onnx")):
        held = list(read_graph(source).tensors())
        lookup = CardLookup(card)
        assert account(lookup, held, tail=False).equal
        weights = [entry for entry in held if entry.values.size > FEW_INTEGERS and entry.kind in KINDS]
        assert len(weights) > 60
        for entry in weights:
            moved = replace(entry, values=one_step(entry.values))
            # integers are judged among others of their kind, by whose rule they have to be
            others = [other for other in weights if isinstance(other, Integers) and other is not entry]
            alike = [other for other in others if other.kind == entry.kind]
            found = account(lookup, [moved, *alike[:4]], tail=False)
            assert [line.split()[0] for line in found.changed] == [entry.name], entry.name
