"""A check of an ONNX file from end to end: what is altered, what is another recipe, what stays open."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from hf_integration.base.errors import EncoderError, UsageError
from hf_integration.base.progress import Silent
from hf_integration.converted.behaviour import Expected
from hf_integration.converted.check import check_converted
from hf_integration.converted.copy_knowledge import CopyKnowledge
from hf_integration.converted.nasty_texts import NASTY
from hf_integration.converted.onnx_graph import read_graph
from hf_integration.converted.onnx_model import OnnxModel
from hf_integration.converted.original import of_copy
from hf_integration.converted.recognising import beside, open_converted
from hf_integration.converted.states import EMBEDDING
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.verdict import Verdict
from tests.converted import making
from tests.converted.conftest import Checked, save
from tests.serving import small_encoders
from tests.serving.small_encoders import write

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")


@pytest.fixture
def folder(onnx_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    copytree(onnx_folder, tmp_path / "folder")
    return tmp_path / "folder"


def edit_tokenizer(folder: Path, edit: Callable[[Any], None]) -> None:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text())
    edit(said)
    file.write_text(json.dumps(said))


class TestAnUnalteredFolder:
    def test_is_authentic_and_every_answer_fits(self, checked: Checked, folder: Path) -> None:
        verdict = checked(folder)
        assert verdict.status == "authentic", verdict.reason
        assert verdict.conversion is not None
        answers = verdict.conversion.file, verdict.conversion.behaviour, verdict.conversion.inputs
        assert [answer.finding for answer in answers] == ["fits"] * 3
        assert verdict.conversion.found == verdict.conversion.expected
        assert verdict.tensors.matches == "stored"
        assert Verdict.from_dict(verdict.to_dict()) == verdict

    def test_names_the_files_that_nobody_read(self, encoder: TorchEncoder, folder: Path) -> None:
        (folder / "custom_ops.so").write_bytes(b"code")
        (folder / "onnx" / "model_other.onnx").write_bytes(b"other")
        found = beside(open_converted(folder, of_copy(encoder)))
        assert {"custom_ops.so", "onnx/model_other.onnx"} <= set(found)
        assert not {"onnx/model.onnx", "tokenizer.json", "1_Pooling/config.json"} & set(found)

    def test_without_settings_is_pooled_as_the_copy_and_says_so(
        self, checked: Checked, onnx_file: Path, folder: Path, tmp_path: Path
    ) -> None:
        bare = tmp_path / "bare"
        bare.mkdir()
        (bare / "model.onnx").write_bytes(onnx_file.read_bytes())
        edit_tokenizer(folder, lambda said: said.update(truncation={"max_length": 48, **TRUNCATION}))
        (bare / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        verdict = checked(bare)
        assert verdict.status == "authentic", verdict.reason
        assert "pooled by what the trusted copy says" in verdict.reason

    def test_without_a_tokenizer_stays_open(self, checked: Checked, onnx_file: Path, tmp_path: Path) -> None:
        (tmp_path / "model.onnx").write_bytes(onnx_file.read_bytes())
        verdict = checked(tmp_path / "model.onnx")
        assert verdict.status == "inconclusive"
        assert verdict.conversion is not None
        assert verdict.conversion.file.finding == "fits"
        assert "tokenizer" in verdict.reason


TRUNCATION = {"direction": "Right", "strategy": "LongestFirst", "stride": 0}


class TestAnAlteredFile:
    def test_names_the_weight(self, checked: Checked, folder: Path) -> None:
        file = folder / "onnx" / "model.onnx"
        name = next(
            tensor.name for tensor in onnx.load(file).graph.initializer if "query.bias" in tensor.name
        )
        making.edited(file, file, name, lambda values: values * np.float32(1.01))
        verdict = checked(folder)
        assert verdict.status == "altered"
        assert "query.bias" in verdict.reason
        assert [name for name in verdict.tensors.changed if "query.bias" in name]

    def test_by_so_little_that_no_embedding_shows_it(self, checked: Checked, folder: Path) -> None:
        file = folder / "onnx" / "model.onnx"
        name = next(tensor.name for tensor in onnx.load(file).graph.initializer if len(tensor.dims) == 2)
        making.edited(file, file, name, making.one_step)
        verdict = checked(folder)
        assert verdict.status == "altered"
        assert verdict.conversion is not None
        assert verdict.conversion.behaviour.finding == "fits"

    def test_of_another_encoder(self, checked: Checked, tmp_path: Path) -> None:
        other = small_encoders.opened(save(tmp_path / "other", seed=5))
        verdict = checked(making.onnx_folder(other, tmp_path / "folder"))
        assert verdict.status == "altered"
        assert verdict.conversion is not None
        assert verdict.conversion.behaviour.finding != "fits"


def _swap(graph: Any) -> None:
    """Two weights of one shape change places: all numbers are still there."""
    square = [tensor for tensor in graph.initializer if list(tensor.dims) == [64, 64]][:2]
    square[0].name, square[1].name = square[1].name, square[0].name


def _slope(graph: Any) -> None:
    """The scale of attention is another constant."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == 1:
                array = onnx.numpy_helper.to_array(attribute.t)
                if array.size == 1 and 0.3 < float(array.reshape(-1)[0]) < 0.6:
                    attribute.t.CopyFrom(
                        onnx.numpy_helper.from_array(array * np.float32(1.2), attribute.t.name)
                    )


def _attribute(graph: Any) -> None:
    """The epsilon of norms, which is no array at all; as large as here, it moves further than bfloat16."""
    for node in graph.node:
        if node.op_type == "LayerNormalization":
            next(a for a in node.attribute if a.name == "epsilon").f = 10.0


def _extra_step(graph: Any) -> None:
    """A step more before the output."""
    output = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
    graph.node.append(onnx.helper.make_node("Tanh", ["before"], [output]))


def _mask(graph: Any) -> None:
    """Padding is seen: single texts show nothing of it."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == 1:
                array = onnx.numpy_helper.to_array(attribute.t)
                if array.size == 1 and float(array.reshape(-1)[0]) < -1e30:
                    attribute.t.CopyFrom(onnx.numpy_helper.from_array(np.zeros_like(array), attribute.t.name))


@pytest.mark.parametrize("edit", [_swap, _slope, _attribute, _extra_step, _mask])
def test_an_edited_graph_with_all_its_weights_is_altered(
    checked: Checked, folder: Path, edit: Callable[[Any], None]
) -> None:
    file = folder / "onnx" / "model.onnx"
    model = onnx.load(file)
    before = model.SerializeToString()
    edit(model.graph)
    assert model.SerializeToString() != before
    onnx.save(model, file)
    verdict = checked(folder)
    assert verdict.status == "altered", verdict.reason
    assert verdict.reason.startswith("its weights are the encoder's, and it computes something else")
    assert verdict.conversion is not None
    assert verdict.conversion.file.finding == "fits"


class TestAnotherRecipe:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"pooling_mode": "cls"}, "cls instead of its own pooling"),
            ({"pooling_mode": "max"}, "max instead of its own pooling"),
        ],
    )
    def test_of_pooling_is_named(
        self, checked: Checked, folder: Path, settings: dict[str, str], said: str
    ) -> None:
        write(folder / "1_Pooling" / "config.json", {"embedding_dimension": 64, **settings})
        verdict = checked(folder)
        assert verdict.status == "inconclusive"
        assert said in verdict.reason

    def test_of_length_is_named_in_both_answers(self, checked: Checked, folder: Path) -> None:
        write(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
        verdict = checked(folder)
        assert verdict.status == "inconclusive"
        assert "cut at 32 tokens" in verdict.reason
        assert verdict.conversion is not None
        assert verdict.conversion.inputs.details[0].startswith("texts are cut at 32 tokens")

    def test_not_scaled_to_length_1(self, checked: Checked, folder: Path) -> None:
        import json

        modules = json.loads((folder / "modules.json").read_text())
        write(folder / "modules.json", modules[:2])
        verdict = checked(folder)
        assert verdict.status == "inconclusive"
        assert "not scaled to length 1" in verdict.reason

    def test_of_float16_weights_is_open_unless_it_is_stated(self, checked: Checked, folder: Path) -> None:
        file = folder / "onnx" / "model.onnx"
        model = onnx.load(file)
        for tensor in model.graph.initializer:
            array = onnx.numpy_helper.to_array(tensor)
            half = array.astype(np.float16).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, tensor.name))
        onnx.save(model, file)
        verdict = checked(folder)
        assert verdict.status == "inconclusive"
        assert "float16 weights" in verdict.reason
        assert checked(folder, "float16-weights").status == "authentic"

    @pytest.mark.parametrize("prompt", ["query: ", "one that nobody knows: "])
    def test_of_a_prompt_is_named(self, checked: Checked, folder: Path, prompt: str) -> None:
        settings = {"prompts": {"query": prompt}, "default_prompt_name": "query"}
        write(folder / "config_sentence_transformers.json", settings)
        verdict = checked(folder)
        assert verdict.status == "inconclusive", verdict.reason
        assert prompt.strip() in verdict.reason
        assert verdict.conversion is not None
        assert verdict.conversion.behaviour.finding == "fits"

    @pytest.mark.parametrize("length", [4, 8, 16, 20, 24])
    def test_of_a_length_that_cuts_key_samples_is_no_alteration(
        self, checked: Checked, folder: Path, length: int
    ) -> None:
        write(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})
        verdict = checked(folder)
        assert verdict.status == "inconclusive", verdict.reason
        assert f"cut at {length} tokens" in verdict.reason


class TestASecondOutput:
    """Some users take hidden states and others the embedding that the graph gives as well."""

    @staticmethod
    def add(folder: Path, name: str, reduce: str) -> None:
        file = folder / "onnx" / "model.onnx"
        model = onnx.load(file)
        model.graph.node.append(
            onnx.helper.make_node(reduce, [model.graph.output[0].name], [name], axes=[1], keepdims=0)
        )
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, 1, ["batch", small_encoders.WIDTH])
        )
        onnx.save(model, file)

    @pytest.mark.parametrize("name", EMBEDDING)
    def test_that_is_the_same_embedding_is_authentic(self, checked: Checked, folder: Path, name: str) -> None:
        self.add(folder, name, "ReduceMean")
        assert checked(folder).status == "authentic"

    @pytest.mark.parametrize("name", EMBEDDING)
    def test_that_is_another_embedding_is_no_pass(self, checked: Checked, folder: Path, name: str) -> None:
        self.add(folder, name, "ReduceMax")
        verdict = checked(folder)
        assert verdict.status == "inconclusive"
        assert f"its output {name} is another embedding" in verdict.reason

    def test_of_another_name_is_said_not_to_be_looked_at(self, checked: Checked, folder: Path) -> None:
        self.add(folder, "pooler_output", "ReduceMax")
        assert "its outputs pooler_output were not looked at" in checked(folder).reason


class TestADenseLayer:
    @pytest.fixture(scope="class")
    def with_dense(self, tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
        return small_encoders.opened(save(tmp_path_factory.mktemp("dense") / "small", dense=32))

    def verdict(self, encoder: TorchEncoder, folder: Path) -> Verdict:
        converted = open_converted(folder, of_copy(encoder))
        authentication, _ = check_converted(
            CopyKnowledge(encoder), converted, Expected(), trust="local", progress=Silent(), keys=24
        )
        return authentication.verdict

    def test_is_part_of_the_file_and_named_if_it_is_altered(
        self, with_dense: TorchEncoder, tmp_path: Path
    ) -> None:
        from safetensors.torch import load_file, save_file

        folder = making.onnx_folder(with_dense, tmp_path / "folder")
        assert with_dense.path is not None
        file = folder / "2_Dense" / "model.safetensors"
        file.write_bytes((with_dense.path / "2_Dense" / "model.safetensors").read_bytes())
        assert self.verdict(with_dense, folder).status == "authentic"
        tensors = load_file(file)
        tensors["linear.weight"][0, 0] += 1e-6
        save_file(tensors, file)
        verdict = self.verdict(with_dense, folder)
        assert verdict.status == "altered"
        assert verdict.tensors.changed == ("2_Dense.linear.weight",)


class TestIntegers:
    @pytest.fixture
    def file(self, folder: Path) -> Path:
        return making.quantised(folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx")

    def test_of_trusted_weights_are_authentic_if_they_are_expected(
        self, checked: Checked, file: Path
    ) -> None:
        verdict = checked(file, "int8")
        assert verdict.status == "authentic", verdict.reason
        assert "100% of key samples" in verdict.reason

    def test_are_named_if_they_are_not(self, checked: Checked, file: Path) -> None:
        verdict = checked(file)
        assert verdict.status == "inconclusive"
        assert "made integers" in verdict.reason

    def test_that_differ_are_altered(self, checked: Checked, file: Path) -> None:
        name = next(name for name, _ in making.arrays(onnx.load(file)) if name.endswith("_quantized"))
        making.edited(file, file, name, making.one_step)
        assert checked(file, "int8").status == "altered"

    def test_with_an_edited_graph_are_never_authentic(self, checked: Checked, file: Path) -> None:
        model = onnx.load(file)
        _extra_step(model.graph)
        onnx.save(model, file)
        assert checked(file, "int8").status == "inconclusive"

    def test_that_answer_some_texts_otherwise_are_altered(self, checked: Checked, file: Path) -> None:
        """Most texts give what the same conversion gives, and every fifth length the opposite."""
        model = onnx.load(file)
        graph, output = model.graph, model.graph.output[0].name
        for node in graph.node:
            node.output[:] = ["clean" if name == output else name for name in node.output]
        for name, number in (("ours_1", 1), ("ours_5", 5), ("ours_0", 0)):
            graph.initializer.append(onnx.numpy_helper.from_array(np.array([number]), name))
        for kind, given, made in (
            ("Shape", ["input_ids"], "shape"),
            ("Gather", ["shape", "ours_1"], "length"),
            ("Mod", ["length", "ours_5"], "rest"),
            ("Equal", ["rest", "ours_0"], "chosen"),
            ("Neg", ["clean"], "opposite"),
            ("Where", ["chosen", "opposite", "clean"], output),
        ):
            graph.node.append(onnx.helper.make_node(kind, given, [made]))
        onnx.save(model, file)
        verdict = checked(file, "int8")
        assert verdict.status in ("altered", "inconclusive"), verdict.reason
        assert "further away" in verdict.reason or "agrees" in verdict.reason

    @pytest.mark.parametrize("pooling", ["cls", "max", "lasttoken"])
    def test_that_are_pooled_otherwise_are_no_pass(self, checked: Checked, file: Path, pooling: str) -> None:
        """The same conversion has to be pooled as the trusted copy is, and not as the folder says."""
        config = file.parent.parent / "1_Pooling" / "config.json"
        said = json.loads(config.read_text())
        write(config, {**said, "pooling_mode": pooling})
        assert checked(file, "int8").status == "inconclusive"

    def test_that_are_not_scaled_to_length_1_are_no_pass(self, checked: Checked, file: Path) -> None:
        modules = file.parent.parent / "modules.json"
        write(
            modules,
            [module for module in json.loads(modules.read_text()) if "Normalize" not in module["type"]],
        )
        assert checked(file, "int8").status == "inconclusive"

    def test_that_are_not_there_are_no_pass(self, checked: Checked, folder: Path) -> None:
        verdict = checked(folder, "int8")
        assert verdict.status == "inconclusive"
        assert "its weights are no integers" in verdict.reason


class TestAnotherTokenizer:
    def test_with_two_words_swapped_is_altered_and_named(self, checked: Checked, folder: Path) -> None:
        def swap(said: Any) -> None:
            words = said["model"]["vocab"]
            words["zzz"] = words.pop(next(iter(sorted(words, reverse=True))))

        edit_tokenizer(folder, swap)
        verdict = checked(folder)
        assert verdict.status == "altered"
        assert "vocabulary" in verdict.reason

    def test_that_keeps_capitals_names_what_is_read_differently(self, checked: Checked, folder: Path) -> None:
        edit_tokenizer(folder, lambda said: said.update(normalizer=None))
        verdict = checked(folder)
        assert verdict.status == "altered"
        assert verdict.conversion is not None
        assert "texts in capital letters are tokenised differently" in verdict.conversion.inputs.details

    @pytest.mark.parametrize("name", NASTY)
    def test_every_nasty_text_is_read_as_the_original_reads_it(
        self, encoder: TorchEncoder, onnx_folder: Path, name: str
    ) -> None:
        mine = open_converted(onnx_folder, of_copy(encoder)).ids([NASTY[name]])
        theirs = encoder.parts[1].prepare([NASTY[name]]).batch([0]).inputs["input_ids"].tolist()
        assert mine == theirs


class TestHostileFiles:
    @pytest.mark.parametrize("size", [0, 1, 100, 10_000, -1])
    def test_cut_short_are_one_line(
        self, encoder: TorchEncoder, onnx_file: Path, tmp_path: Path, size: int
    ) -> None:
        (tmp_path / "model.onnx").write_bytes(onnx_file.read_bytes()[:size])
        with pytest.raises(EncoderError) as raised:
            list(OnnxModel.open(tmp_path / "model.onnx", of_copy(encoder)).tensors())
        assert len(str(raised.value).splitlines()) == 1
        assert "model.onnx" in str(raised.value)

    @pytest.mark.parametrize("operator", ["Loop", "Scan", "SequenceMap"])
    def test_that_may_run_for_ever_are_refused(self, onnx_file: Path, tmp_path: Path, operator: str) -> None:
        model = onnx.load(onnx_file)
        model.graph.node.append(onnx.helper.make_node(operator, ["a"], ["b"]))
        onnx.save(model, tmp_path / "model.onnx")
        with pytest.raises(EncoderError, match="may run for ever"):
            read_graph(tmp_path / "model.onnx")

    @pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "sub/data", "", "..\\secret", "missing"])
    def test_with_numbers_elsewhere_are_refused(self, onnx_file: Path, tmp_path: Path, place: str) -> None:
        model = onnx.load(onnx_file)
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", place
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(EncoderError):
            read_graph(tmp_path / "model.onnx")

    @pytest.mark.parametrize(
        ("offset", "length"), [("0", "99999999"), ("-4", "8"), ("99999", "4"), ("x", "4")]
    )
    def test_with_numbers_behind_the_end_are_refused(
        self, onnx_file: Path, tmp_path: Path, offset: str, length: str
    ) -> None:
        model = onnx.load(onnx_file)
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "data"), ("offset", offset), ("length", length)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        (tmp_path / "data").write_bytes(bytes(64))
        with pytest.raises(EncoderError):
            list(read_graph(tmp_path / "model.onnx").tensors())

    def test_with_an_operator_that_nobody_knows_are_one_line(self, checked: Checked, folder: Path) -> None:
        file = folder / "onnx" / "model.onnx"
        model = onnx.load(file)
        model.graph.node[-1].op_type, model.graph.node[-1].domain = "Backdoor", "evil"
        model.opset_import.add(domain="evil", version=1)
        onnx.save(model, file)
        with pytest.raises(EncoderError, match="cannot be loaded by ONNX Runtime"):
            checked(folder)


class TestRecognising:
    def test_files_of_several_runtimes_ask_for_a_choice(self, encoder: TorchEncoder, folder: Path) -> None:
        (folder / "model.gguf").write_bytes(b"GGUF")
        with pytest.raises(UsageError, match="say which with --runtime: onnx, gguf"):
            open_converted(folder, of_copy(encoder))
        assert open_converted(folder, of_copy(encoder), "onnx").runtime == "onnx"

    def test_several_models_ask_for_a_file(self, encoder: TorchEncoder, folder: Path) -> None:
        (folder / "onnx" / "model.onnx").rename(folder / "onnx" / "model_a.onnx")
        (folder / "onnx" / "model_b.onnx").write_bytes(b"b")
        with pytest.raises(EncoderError, match="name the file itself"):
            open_converted(folder, of_copy(encoder))

    @pytest.mark.parametrize("name", ["nothing", "empty"])
    def test_nothing_that_is_known_is_said(self, encoder: TorchEncoder, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(UsageError):
            open_converted(tmp_path / name, of_copy(encoder))
