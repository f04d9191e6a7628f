"""Converted encoders held against a card alone: what is unaltered, and every alteration of a file."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from hf_integration import WatermarkCard
from hf_integration.converted.card_lookup import CardLookup
from hf_integration.converted.onnx_graph import read_graph
from hf_integration.converted.original import of_card
from hf_integration.converted.recognising import open_converted
from hf_integration.converted.weights import Explained, account
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from tests.converted import making
from tests.converted.cards import by_card, findings
from tests.converted.conftest import save
from tests.converted.making import ALL
from tests.converted.test_onnx_arrays import names
from tests.serving import small_encoders

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")


def of(card: WatermarkCard, file: Path) -> Explained:
    return account(CardLookup(card), read_graph(file).tensors(), tail=False)


@pytest.mark.parametrize("row", [row for row in ALL if row != "openvino"])  # as float16, and takes its time
def test_what_is_unaltered_fits_in_every_runtime(
    card: WatermarkCard, encoder: TorchEncoder, tmp_path: Path, row: str
) -> None:
    kind = ALL[row]
    if find_spec(kind.module) is None:
        pytest.skip(f"needs the extra {kind.runtime}")
    kind.make(encoder, tmp_path / "folder")
    verdict = by_card(card, tmp_path / "folder", kind.serving, runtime=kind.runtime)
    status, three = verdict.status, findings(verdict)
    if kind.runtime == "gguf":  # nobody runs it, and nobody says how it reads texts
        assert (status, three) == ("inconclusive", ["fits", "open", "open"]), verdict.reason
    else:
        assert (status, three) == ("authentic", ["fits", "fits", "fits"]), verdict.reason


@pytest.mark.parametrize("row", ["ctranslate2-int8", "torchao-weights", "gguf-F16", "gguf-Q8_0"])
def test_a_weight_with_other_numbers_is_named_in_every_runtime(
    card: WatermarkCard, encoder: TorchEncoder, tmp_path: Path, row: str
) -> None:
    kind = ALL[row]
    if find_spec(kind.module) is None:
        pytest.skip(f"needs the extra {kind.runtime}")
    copy = encoder.duplicate()
    moved = next(name for name in copy.tensors() if name.endswith("attention.self.key.weight"))
    copy.tensors()[moved].data[0, 0] += 1.0
    assert encoder.path is not None
    altered = making.saved(copy, encoder.path, tmp_path / "source")
    kind.make(altered, tmp_path / "folder")
    converted = open_converted(tmp_path / "folder", of_card(card), kind.runtime)
    found = account(CardLookup(card), converted.tensors(), tail=False)
    assert len(found.changed) == 1, found
    if row == "ctranslate2-int8":  # query, key and value are one matrix there
        assert "self_attention/linear_0" in found.changed[0]
    else:
        assert "key" in found.changed[0]


@pytest.fixture(scope="module")
def files(onnx_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The encoder as ONNX files of every kind whose numbers the card knows."""
    from onnxruntime.transformers import float16

    folder = tmp_path_factory.mktemp("files")
    half = float16.convert_float_to_float16(onnx.load(onnx_file), keep_io_types=True)
    onnx.save(half, folder / "half.onnx")
    return {
        "float32": onnx_file,
        "float16": folder / "half.onnx",
        "int8": making.quantised(onnx_file, folder / "int8.onnx"),
        "int8 by channels": making.quantised(onnx_file, folder / "channels.onnx", per_channel=True),
    }


KINDS = ("float32", "float16", "int8", "int8 by channels")


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_that_is_moved_by_one_step_is_named(
    card: WatermarkCard, files: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    assert of(card, files[kind]).equal
    constants = names(files["float32"], constants=True)
    weights = [name for name in names(files[kind], constants=False) if name not in constants]
    beside = [
        name for name, _ in making.arrays(onnx.load(files[kind])) if name.endswith(("_scale", "_zero_point"))
    ]
    assert len(weights) > 20
    for name in (*weights, *beside):
        found = of(card, making.edited(files[kind], tmp_path / "edited.onnx", name, making.one_step))
        stem = name.removesuffix("_scale").removesuffix("_zero_point").removesuffix("_quantized")
        assert [line.startswith(stem) for line in found.changed] == [True], (name, found.changed)


ANYTHING: dict[str, Callable[[Any], Any]] = {
    "zeros": np.zeros_like,
    "a sign": np.negative,
    "another order": lambda values: values[::-1],
    "one number more": lambda values: np.concatenate([values, values[:1]]),
    "one number less": lambda values: values[:-1],
    "halved precision": lambda values: values.astype(np.float16).astype(values.dtype),
}


@pytest.mark.parametrize("edit", ANYTHING)
def test_no_array_that_is_anything_else_is_equal(
    card: WatermarkCard, files: dict[str, Path], tmp_path: Path, edit: str
) -> None:
    for name in names(files["float32"], constants=False):
        found = of(card, making.edited(files["float32"], tmp_path / "edited.onnx", name, ANYTHING[edit]))
        assert not found.equal or (edit == "halved precision" and found.roundings == ("float16", "stored")), (
            name
        )


def test_the_first_rows_of_a_table_are_no_alteration_and_no_pass(
    card: WatermarkCard, onnx_folder: Path, tmp_path: Path
) -> None:
    """A copy would find them by their numbers, and there is no digest of a part."""
    copytree(onnx_folder, tmp_path / "folder")
    file = tmp_path / "folder" / "onnx" / "model.onnx"
    name = next(name for name, _ in making.arrays(onnx.load(file)) if "position_embeddings" in name)
    making.edited(file, file, name, lambda values: values[:64])
    verdict = by_card(card, tmp_path / "folder")
    assert (verdict.status, findings(verdict)) == ("inconclusive", ["open", "fits", "fits"]), verdict.reason
    assert verdict.tensors.missing == ("embeddings.position_embeddings.weight",)


@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["QInt8", "QUInt8"])
def test_integers_by_a_rule_that_the_card_has_not_are_no_alteration_and_no_pass(
    card: WatermarkCard, onnx_folder: Path, tmp_path: Path, per_channel: bool, reduce_range: bool, kind: str
) -> None:
    from onnxruntime.quantization import QuantType

    copytree(onnx_folder, tmp_path / "folder")
    file = tmp_path / "folder" / "onnx" / "model.onnx"
    settings = {"per_channel": per_channel, "reduce_range": reduce_range}
    making.quantised(file, file.with_name("model_quantized.onnx"), weight_type=QuantType[kind], **settings)
    file.unlink()
    verdict = by_card(card, tmp_path / "folder", "int8")
    if kind == "QInt8" and not reduce_range:
        assert verdict.status == "authentic", verdict.reason
        return
    assert verdict.status == "inconclusive", verdict.reason
    assert "--recipe" in verdict.reason
    # uint8 by the rule of the tables is known, and what it answers is not
    whole = kind == "QUInt8" and not reduce_range and not per_channel
    assert findings(verdict)[:2] == ["fits" if whole else "open", "open"]


class TestAnAlteredFile:
    @pytest.mark.parametrize("kind", KINDS)
    def test_is_altered_by_a_weight_that_no_embedding_shows(
        self, card: WatermarkCard, onnx_folder: Path, files: dict[str, Path], tmp_path: Path, kind: str
    ) -> None:
        copytree(onnx_folder, tmp_path / "folder")
        weights = names(files[kind], constants=False)
        name = next(name for name in weights if "word" in name and not name.endswith(("_scale", "_point")))
        target = tmp_path / "folder" / "onnx" / "model.onnx"
        making.edited(files[kind], target, name, _last_moved)
        serving = {"float16": "float16", "float32": None}.get(kind, "int8")
        verdict = by_card(card, tmp_path / "folder", serving)
        assert (verdict.status, verdict.exit_status) == ("altered", 1)
        assert "word_embeddings" in verdict.reason

    def test_of_which_two_weights_changed_places_is_altered_if_the_recipe_is_stated(
        self, card: WatermarkCard, onnx_folder: Path, tmp_path: Path
    ) -> None:
        copytree(onnx_folder, tmp_path / "folder")
        file = tmp_path / "folder" / "onnx" / "model.onnx"
        model = onnx.load(file)
        square = [tensor for tensor in model.graph.initializer if list(tensor.dims) == [64, 64]][:2]
        square[0].name, square[1].name = square[1].name, square[0].name
        onnx.save(model, file)
        for serving, status in ((None, "inconclusive"), ("torch", "altered")):
            verdict = by_card(card, tmp_path / "folder", serving)
            assert verdict.status == status, verdict.reason
            assert findings(verdict)[0] == "fits"

    def test_of_another_encoder_has_no_weight_in_common(self, card: WatermarkCard, tmp_path: Path) -> None:
        other = small_encoders.opened(save(tmp_path / "other", seed=5))
        verdict = by_card(card, making.onnx_folder(other, tmp_path / "folder"))
        assert verdict.status == "altered"
        assert len(verdict.tensors.changed) > 15


def _last_moved(values: Any) -> Any:
    return making.one_step(values.reshape(-1)[::-1])[::-1].reshape(values.shape)
