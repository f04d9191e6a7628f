"""What is in memory is checked as it is: known containers are taken off, and states that matter are named."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.encoders import wrap_module
from hf_integration.errors import EncoderError
from hf_integration.report import render
from hf_integration.verdict import Verdict
from tests.encoders.test_sentence_folders import write
from tests.tiny_cards import mint_quickly

Loaded = tuple[Any, Any]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatermarkCard]:
    from tests.encoders import tiny_models

    root = tmp_path_factory.mktemp("plain")
    folder = tiny_models.save("bert", root / "encoder")
    return folder, mint_quickly(folder, root / "card")[1]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatermarkCard]:
    """A folder of sentence-transformers with a prompt, a dense layer and a normalisation."""
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    root = tmp_path_factory.mktemp("sentences")
    base = write(root / "base", "Pooling", pooling={"pooling_mode": "cls"})
    torch.manual_seed(0)
    model = library.SentenceTransformer(str(base), device="cpu")
    model.append(Dense(32, 12))
    model.append(Normalize())
    model.prompts, model.default_prompt_name = {"query": "the sea "}, "query"
    model.save(str(root / "encoder"))
    return root / "encoder", mint_quickly(root / "encoder", root / "card")[1]


def loaded(folder: Path) -> Loaded:
    return hf.AutoModel.from_pretrained(folder).eval(), hf.AutoTokenizer.from_pretrained(folder)


def verdict(card: WatermarkCard, subject: Any, processor: Any = None) -> Verdict:
    return Authenticator(card=card, trust="local").authenticate(wrap_module(subject, processor)).verdict


def _compiled(model: Any, tokenizer: Any) -> Loaded:
    return torch.compile(model), tokenizer


def _parallel(model: Any, tokenizer: Any) -> Loaded:
    return torch.nn.DataParallel(model), tokenizer


def _pipeline(model: Any, tokenizer: Any) -> Loaded:
    return hf.pipeline("feature-extraction", model=model, tokenizer=tokenizer, device="cpu"), None


def _prepared(model: Any, tokenizer: Any) -> Loaded:
    from accelerate import Accelerator

    return Accelerator(cpu=True).prepare(model), tokenizer


def _nested(model: Any, tokenizer: Any) -> Loaded:
    return torch.nn.DataParallel(torch.compile(model)), tokenizer


CONTAINERS: dict[str, Callable[[Any, Any], Loaded]] = {
    "compiled": _compiled,
    "DataParallel": _parallel,
    "pipeline": _pipeline,
    "accelerate": _prepared,
    "DataParallel around compiled": _nested,
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_is_taken_off(kind: str, plain: tuple[Path, WatermarkCard]) -> None:
    folder, card = plain
    model, tokenizer = loaded(folder)
    found = verdict(card, *CONTAINERS[kind](model, tokenizer))
    assert found.status == "authentic", found.reason
    assert any("compiled" in line for line in found.process) == ("compiled" in kind)
    with torch.no_grad():
        model.encoder.layer[0].output.dense.weight[0, 0] += 0.5
    altered = verdict(card, *CONTAINERS[kind](model, tokenizer))
    assert altered.status == "altered"
    assert altered.tensors.changed == ("encoder.layer.0.output.dense.weight",)


class TestSentenceTransformer:
    def load(self, folder: Path) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(folder), device="cpu")

    def test_an_object_is_checked_by_the_card_of_its_folder(
        self, sentences: tuple[Path, WatermarkCard]
    ) -> None:
        folder, card = sentences
        found = verdict(card, self.load(folder))
        assert found.status == "authentic", found.reason
        assert found.tensors.matches == "stored"

    def test_its_embedding_is_the_library_s(self, sentences: tuple[Path, WatermarkCard]) -> None:
        folder, _ = sentences
        library = self.load(folder)
        texts = ["the cat sits", "markets fell"]
        ours = wrap_module(library).embed(texts)
        torch.testing.assert_close(ours, torch.tensor(library.encode(texts)), rtol=0, atol=1e-5)

    @pytest.mark.parametrize(
        ("edit", "named"),
        [
            (lambda m: setattr(m, "default_prompt_name", None), "default_prompt"),
            (lambda m: m.prompts.update(query="x "), "prompts"),
            (lambda m: setattr(m[1], "pooling_mode", "mean"), "pooling_mode"),
            (lambda m: setattr(m, "max_seq_length", 3), "max_length"),
            (lambda m: setattr(m, "similarity_fn_name", "dot"), "similarity_fn_name"),
            (lambda m: m[2].linear.weight.data.neg_(), "2_Dense.linear.weight"),
            (lambda m: m[0].auto_model.embeddings.word_embeddings.weight.data.neg_(), "word_embeddings"),
        ],
        ids=["no prompt", "prompt", "pooling", "length", "similarity", "dense layer", "weight"],
    )
    def test_an_edit_of_the_object_is_found(
        self, edit: Callable[[Any], None], named: str, sentences: tuple[Path, WatermarkCard]
    ) -> None:
        folder, card = sentences
        model = self.load(folder)
        edit(model)
        found = verdict(card, model)
        assert found.status == "altered"
        assert named in f"{found.reason} {found.files.changed} {found.tensors.changed}"


def test_a_cross_encoder_is_checked_below_its_head_and_the_head_is_compared(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    from tests.layouts.building import cross_encoder

    cross_encoder(tmp_path / "encoder")
    _, card = mint_quickly(tmp_path / "encoder", tmp_path / "card")
    model = library.CrossEncoder(str(tmp_path / "encoder"), device="cpu")
    found = verdict(card, model)
    assert found.status == "authentic", found.reason
    assert any("cross-encoder" in line for line in found.process)
    with torch.no_grad():
        model.model.classifier.weight.neg_()
    assert verdict(card, model).tensors.outside == ("classifier.weight",)


def test_adapters_that_are_not_merged_are_refused_and_merged_ones_are_weights(
    plain: tuple[Path, WatermarkCard],
) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    folder, card = plain
    model, tokenizer = loaded(folder)
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["query"], init_lora_weights=False))
    for subject in (adapted, adapted.base_model.model):
        with pytest.raises(EncoderError, match="not merged"):
            wrap_module(subject, tokenizer)
    assert verdict(card, adapted.merge_and_unload(), tokenizer).status == "altered"


def test_layers_of_an_adapter_library_are_recognised_without_it(plain: tuple[Path, WatermarkCard]) -> None:
    folder, _ = plain
    model, tokenizer = loaded(folder)
    layer = type("Linear", (torch.nn.Linear,), {"__module__": "peft.tuners.lora.layer"})
    model.encoder.layer[0].attention.self.query = layer(32, 32)
    with pytest.raises(EncoderError, match=r"not merged, first at 'encoder.layer.0.attention.self.query'"):
        wrap_module(model, tokenizer)


def test_tensors_without_values_are_refused_in_one_line(plain: tuple[Path, WatermarkCard]) -> None:
    folder, _ = plain
    _, tokenizer = loaded(folder)
    with torch.device("meta"):
        empty = hf.AutoModel.from_config(hf.AutoConfig.from_pretrained(folder))
    with pytest.raises(EncoderError, match="tensors hold no values"):
        wrap_module(empty, tokenizer)


class TestStates:
    @pytest.fixture
    def model(self, plain: tuple[Path, WatermarkCard]) -> Loaded:
        return loaded(plain[0])

    def test_training_mode_with_dropout_is_not_authentic(
        self, model: Loaded, plain: tuple[Path, WatermarkCard]
    ) -> None:
        model[0].train()
        found = verdict(plain[1], *model)
        assert found.status == "inconclusive"
        assert "training mode with active dropout" in found.reason
        assert "eval()" in found.reason

    def test_training_mode_without_dropout_changes_nothing(
        self, model: Loaded, plain: tuple[Path, WatermarkCard]
    ) -> None:
        for module in model[0].train().modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(getattr(module, "dropout_prob", None), float):
                module.dropout_prob = 0.0
        assert verdict(plain[1], *model).process == ()

    @pytest.mark.parametrize("at", ["", "encoder.layer.1", "embeddings"])
    def test_a_hook_is_named_whatever_the_watermark_says(
        self, at: str, model: Loaded, plain: tuple[Path, WatermarkCard]
    ) -> None:
        model[0].get_submodule(at).register_forward_hook(lambda _m, _i, output: output)
        found = verdict(plain[1], *model)
        assert found.status == "authentic"
        assert found.process == (f"forward hook on {at or 'the model'}",)
        assert "1 finding in this process" in found.reason
        assert f"forward hook on {at or 'the model'}" in render(found)
        assert found.to_dict()["process"] == found.process

    def test_a_patched_forward_is_named(self, model: Loaded, plain: tuple[Path, WatermarkCard]) -> None:
        layer = model[0].encoder.layer[0].output
        original = layer.forward
        layer.forward = lambda *arguments: original(*arguments) * 1.0
        found = verdict(plain[1], *model)
        assert found.process == ("patched forward on encoder.layer.0.output",)

    def test_a_scaled_output_is_named(self, model: Loaded, plain: tuple[Path, WatermarkCard]) -> None:
        def thrice(_module: Any, _inputs: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state * 3
            return output

        model[0].register_forward_hook(thrice)
        found = verdict(plain[1], *model)
        assert "forward hook on the model" in found.process
        assert "all tensors" not in found.reason

    def test_autocast_around_the_call_is_named(
        self, model: Loaded, plain: tuple[Path, WatermarkCard]
    ) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = verdict(plain[1], *model)
        assert found.status == "authentic"
        assert any("autocast to bfloat16" in line for line in found.process)

    def test_another_default_dtype_is_named(self, model: Loaded, plain: tuple[Path, WatermarkCard]) -> None:
        with _default(torch.float64):
            found = verdict(plain[1], *model)
        assert any("float64 is the default dtype" in line for line in found.process)


@contextlib.contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
