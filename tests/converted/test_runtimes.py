"""The other runtimes, each with files of its own converter: unaltered, altered in every array, damaged."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from hf_integration.base.errors import EncoderError, SSLAuthError
from hf_integration.converted.onnx_making import OUTPUT
from hf_integration.converted.original import of_copy
from hf_integration.converted.recognising import open_converted
from hf_integration.converted.runtime import RuntimeName
from hf_integration.converted.weights import explain
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from tests.converted import making
from tests.converted.conftest import Checked, save
from tests.real_encoders.ctranslate2 import read_variables
from tests.serving import small_encoders


@pytest.fixture(scope="module", params=making.KINDS)
def kind(request: pytest.FixtureRequest) -> making.Kind:
    found = making.KINDS[request.param]
    pytest.importorskip(found.module, reason=f"needs the extra {found.runtime}")
    return found


@pytest.fixture(scope="module")
def made(kind: making.Kind, encoder: TorchEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "folder"
    kind.make(encoder, folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    copytree(made, tmp_path / "folder")
    return tmp_path / "folder"


def runtime_of(kind: making.Kind) -> RuntimeName | None:
    return kind.runtime if kind.named else None


def test_an_unaltered_folder_is_authentic_under_its_recipe(
    checked: Checked, made: Path, kind: making.Kind
) -> None:
    verdict = checked(made, kind.serving, runtime=runtime_of(kind))
    assert verdict.status == "authentic", verdict.reason
    assert verdict.conversion is not None
    assert verdict.conversion.runtime == kind.runtime
    assert verdict.conversion.inputs.finding == "fits"


def test_half_precision_and_integers_are_no_pass_unless_they_are_stated(
    checked: Checked, made: Path, kind: making.Kind
) -> None:
    if kind.serving is None:
        pytest.skip("this file holds the weights as they were stored")
    verdict = checked(made)
    assert verdict.status == "inconclusive"
    assert "float16 weights" in verdict.reason or "made integers" in verdict.reason


def test_the_weights_of_another_encoder_are_altered(
    checked: Checked, folder: Path, kind: making.Kind, tmp_path: Path
) -> None:
    other = small_encoders.opened(save(tmp_path / "other", seed=5))
    kind.make(other, tmp_path / "made")
    verdict = checked(tmp_path / "made", kind.serving, runtime=runtime_of(kind))
    assert verdict.status == "altered"
    assert len(verdict.tensors.changed) + len(verdict.tensors.missing) > 10


def _used(folder: Path, encoder: TorchEncoder, kind: making.Kind) -> None:
    converted = open_converted(folder, of_copy(encoder), kind.runtime)
    list(converted.tensors())
    converted.embed(["a text"])


@pytest.mark.parametrize("size", [0, 3, 50, 5000, -1])
def test_a_file_that_is_cut_short_is_one_line(
    encoder: TorchEncoder, folder: Path, kind: making.Kind, size: int
) -> None:
    file = folder / kind.file
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(SSLAuthError) as raised:
        _used(folder, encoder, kind)
    assert len(str(raised.value).splitlines()) == 1


def test_another_tokenizer_is_altered(checked: Checked, folder: Path, kind: making.Kind) -> None:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text())
    words = said["model"]["vocab"]
    one, other = list(words)[100:102]
    words[one], words[other] = words[other], words[one]
    file.write_text(json.dumps(said))
    assert checked(folder, kind.serving, runtime=kind.runtime).status == "altered"


def places(file: Path) -> Iterator[tuple[str, int]]:
    """Name and place of the first number of every variable of a CTranslate2 file."""
    data = file.read_bytes()
    start = 0

    def take(layout: str) -> tuple[Any, ...]:
        nonlocal start
        found = struct.unpack_from("<" + layout, data, start)
        start += struct.calcsize("<" + layout)
        return found

    take("I")
    (length,) = take("H")
    start += length
    _, count = take("II")
    for _ in range(count):
        (length,) = take("H")
        name = data[start : start + length].rstrip(b"\0").decode()
        start += length
        (rank,) = take("B")
        take(f"{rank}I")
        _, size = take("BI")
        yield name, start
        start += size


class TestCtranslate2:
    @pytest.fixture(params=[None, "float16", "int8"], ids=str)
    def file(self, request: pytest.FixtureRequest, encoder: TorchEncoder, tmp_path: Path) -> Path:
        pytest.importorskip("ctranslate2", reason="needs the extra ctranslate2")
        making.ctranslate2_folder(request.param)(encoder, tmp_path / "folder")
        return tmp_path / "folder" / "model.bin"

    def test_every_variable_is_accounted_for(self, encoder: TorchEncoder, file: Path) -> None:
        found = explain(encoder, open_converted(file.parent, of_copy(encoder)).tensors(), tail=False)
        assert found.equal
        assert sum(found.ways.values()) == len(read_variables(file, specification="TransformerEncoderSpec"))

    def test_every_weight_that_is_moved_by_one_bit_is_named(self, encoder: TorchEncoder, file: Path) -> None:
        sizes = {
            name: values.size
            for name, values in read_variables(file, specification="TransformerEncoderSpec").items()
        }
        original = file.read_bytes()
        weights = [(name, place) for name, place in places(file) if sizes[name] > 1]
        assert len(weights) > 15
        for name, place in weights:
            data = bytearray(original)
            data[place] ^= 1
            file.write_bytes(data)
            found = explain(encoder, open_converted(file.parent, of_copy(encoder)).tensors(), tail=False)
            assert len(found.changed) == 1, name
            assert found.changed[0].startswith(name.removesuffix("_scale")), name

    def test_another_vocabulary_is_altered(self, checked: Checked, file: Path) -> None:
        words = json.loads((file.parent / "vocabulary.json").read_text())
        words[100], words[101] = words[101], words[100]
        (file.parent / "vocabulary.json").write_text(json.dumps(words))
        verdict = checked(file.parent)
        assert verdict.status == "altered"
        assert "vocabulary.json" in verdict.reason


class TestTorchao:
    @pytest.mark.parametrize("kind", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"])
    def test_every_tensor_that_is_moved_by_one_bit_is_named(
        self, encoder: TorchEncoder, tmp_path: Path, kind: str
    ) -> None:
        pytest.importorskip("torchao", reason="needs the extra torchao")
        folder = tmp_path / "folder"
        making.torchao_folder(kind)(encoder, folder)
        file = folder / "model.safetensors"
        original = file.read_bytes()
        (length,) = struct.unpack("<Q", original[:8])
        said = json.loads(original[8 : 8 + length])
        said.pop("__metadata__")
        pooler = {name for name in said if name.startswith("pooler")}
        assert len(said) > 20
        for name, entry in said.items():
            data = bytearray(original)
            data[8 + length + entry["data_offsets"][0]] ^= 1
            file.write_bytes(data)
            found = explain(encoder, open_converted(folder, of_copy(encoder)).tensors(), tail=False)
            assert len(found.changed) == 1 or name in pooler, name
            assert not found.equal, name


class TestOpenvino:
    @pytest.mark.parametrize("half", [False, True])
    def test_every_constant_that_is_moved_by_one_bit_is_named(
        self, encoder: TorchEncoder, tmp_path: Path, half: bool
    ) -> None:
        import re

        pytest.importorskip("openvino", reason="needs the extra openvino")
        folder = tmp_path / "folder"
        making.openvino_folder(half)(encoder, folder)
        file = folder / "openvino" / "openvino_model.bin"
        said = file.with_suffix(".xml").read_text()
        constants = re.findall(
            r'type="Const"[^>]*>\s*<data element_type="(f\d+)"[^>]*offset="(\d+)" size="(\d+)"', said
        )
        weights = [(int(offset), kind) for kind, offset, size in constants if int(size) > 64]
        assert len(weights) > 15
        original = file.read_bytes()
        for offset, kind in dict(weights).items():
            data = bytearray(original)
            data[offset] ^= 1
            file.write_bytes(data)
            found = explain(encoder, open_converted(folder, of_copy(encoder)).tensors(), tail=False)
            assert len(found.changed) == 1, (offset, kind)

    def test_its_own_tokenizer_is_what_reads_texts(
        self, encoder: TorchEncoder, checked: Checked, tmp_path: Path
    ) -> None:
        openvino = pytest.importorskip("openvino", reason="needs the extra openvino")
        tokenizers = pytest.importorskip("openvino_tokenizers", reason="needs the extra openvino")
        folder = tmp_path / "folder"
        making.openvino_folder(False)(encoder, folder)
        openvino.save_model(
            tokenizers.convert_tokenizer(encoder.processor),
            str(folder / "openvino" / "openvino_tokenizer.xml"),
        )
        converted = open_converted(folder, of_copy(encoder))
        assert not converted.own_ids
        assert converted.ids(["the house"]) == [encoder.processor("the house")["input_ids"]]
        verdict = checked(folder)
        assert verdict.conversion is not None
        assert verdict.conversion.file.finding == "fits"
        assert verdict.status in ("authentic", "inconclusive")


class TestGguf:
    @pytest.fixture(params=["F32", "F16", "Q8_0", "Q4_0"])
    def file(self, request: pytest.FixtureRequest, encoder: TorchEncoder, tmp_path: Path) -> Path:
        pytest.importorskip("gguf", reason="needs the extra gguf")
        return making.gguf_file(encoder, tmp_path / "model.gguf", request.param)

    def test_holds_the_weights_and_stays_open_as_nothing_runs_it_here(
        self, checked: Checked, file: Path
    ) -> None:
        verdict = checked(file)
        assert verdict.status == "inconclusive"
        assert verdict.conversion is not None
        assert verdict.conversion.file.finding == "fits", verdict.conversion.file
        assert verdict.conversion.behaviour.finding == verdict.conversion.inputs.finding == "open"
        assert "--endpoint" in verdict.reason

    def test_every_tensor_that_is_moved_by_one_bit_is_named(self, encoder: TorchEncoder, file: Path) -> None:
        from gguf import GGUFReader

        tensors = [(tensor.name, int(tensor.data_offset)) for tensor in GGUFReader(file).tensors]
        original = file.read_bytes()
        assert len(tensors) > 15
        for name, offset in tensors:
            data = bytearray(original)
            data[offset] ^= 1
            file.write_bytes(data)
            found = explain(encoder, open_converted(file, of_copy(encoder)).tensors(), tail=False)
            assert [line.split()[0] for line in found.changed] == [name]

    @pytest.mark.parametrize(
        "start",
        [
            b"",
            b"GGUF",
            b"GGML" + bytes(20),
            b"GGUF" + struct.pack("<IQQ", 9, 1, 1),
            b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1),
            b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60),
            b"GGUF" + struct.pack("<IQQ", 3, 5, 5),
            b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62),
        ],
    )
    def test_what_is_none_is_one_line(self, encoder: TorchEncoder, tmp_path: Path, start: bytes) -> None:
        pytest.importorskip("gguf", reason="needs the extra gguf")
        (tmp_path / "model.gguf").write_bytes(start)
        with pytest.raises(EncoderError) as raised:
            list(open_converted(tmp_path / "model.gguf", of_copy(encoder)).tensors())
        assert len(str(raised.value).splitlines()) == 1


class TestVocabulariesOfCtranslate2:
    """The runtime takes ``vocabulary.json``, or ``vocabulary.txt`` where that is missing."""

    @pytest.fixture
    def words(self, folder: Path, kind: making.Kind) -> list[str]:
        if kind.runtime != "ctranslate2":
            pytest.skip("this runtime has no vocabulary of its own")
        found: list[str] = json.loads((folder / "vocabulary.json").read_text())
        (folder / "vocabulary.json").unlink()
        return found

    def test_of_lines_are_read_as_well(
        self, checked: Checked, folder: Path, kind: making.Kind, words: list[str]
    ) -> None:
        (folder / "vocabulary.txt").write_text("\n".join(words) + "\n")
        assert checked(folder, kind.serving).status == "authentic"
        words[-2:] = reversed(words[-2:])
        (folder / "vocabulary.txt").write_text("\n".join(words) + "\n")
        assert checked(folder, kind.serving).status == "altered"


def test_constants_of_openvino_that_have_one_name_are_all_read(encoder: TorchEncoder, tmp_path: Path) -> None:
    """A scale is read with its integers; a weight that bears the name of the scale is not."""
    openvino = pytest.importorskip("openvino", reason="needs the extra openvino")
    making.openvino_folder(False)(encoder, tmp_path / "folder")
    file = tmp_path / "folder" / "openvino" / "openvino_model.xml"
    model, ops = openvino.Core().read_model(file), openvino.opset13
    named = {
        "integers": ops.constant(np.array([[1, 2]], np.int8)),
        "scale": ops.constant(np.array([[0.5]], np.float32)),
        "weight": ops.constant(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)),
    }
    for name, constant in named.items():
        constant.set_friendly_name("scale" if name == "weight" else name)
    scaled = ops.multiply(ops.convert(named["integers"], "f32"), named["scale"])
    axes = ops.constant(np.array([0, 1]))
    more = ops.add(ops.reduce_sum(scaled, axes), ops.reduce_sum(named["weight"], axes))
    states = model.get_results()[0].input_value(0)
    made = openvino.Model([ops.add(states, more)], model.get_parameters(), "more")
    states.get_tensor().set_names(set())
    made.outputs[0].get_tensor().set_names({OUTPUT})
    (tmp_path / "more").mkdir()
    openvino.save_model(made, tmp_path / "more" / "openvino_model.xml", compress_to_fp16=False)
    held = list(open_converted(tmp_path / "more" / "openvino_model.xml", of_copy(encoder)).tensors())
    assert [one.values.shape for one in held if one.name == "scale"].count((64, 64)) == 1
