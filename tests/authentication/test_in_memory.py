"""What is in memory is checked as it is: known containers are taken off, or refused with the reason."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.base.errors import EncoderError, UsageError
from hf_integration.encoders import open_encoder, wrap_module
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.encoders.test_sentence_folders import write
from tests.tiny_cards import mint_quickly

Loaded = tuple[Any, Any]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatermarkCard]:
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


def _compiled(model: Any) -> Any:
    return torch.compile(model, backend="eager")


def _compiled_in_place(model: Any) -> Any:
    model.compile(backend="eager")
    return model


def _distributed(model: Any) -> Any:
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]  # it is there
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    return torch.nn.parallel.DistributedDataParallel(model)


@pytest.fixture(autouse=True)
def no_process_group() -> Iterator[None]:
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _prepared(model: Any) -> Any:
    from accelerate import Accelerator

    return Accelerator(cpu=True).prepare(model)


def _device_map(model: Any) -> Any:
    from accelerate.hooks import attach_align_device_hook

    attach_align_device_hook(model, execution_device="cpu")
    return model


# kind -> what is put around, and what the verdict names
AROUND: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "nothing": (lambda model: model, ()),
    "compiled": (_compiled, ("compiled by torch.compile",)),
    "compiled in place": (_compiled_in_place, ("compiled the model",)),
    "DataParallel": (torch.nn.DataParallel, ()),
    "DistributedDataParallel": (_distributed, ()),
    "accelerate": (_prepared, ()),
    "device map": (_device_map, ("hooks of accelerate that move tensors between devices",)),
    "DataParallel around compiled": (
        lambda model: torch.nn.DataParallel(_compiled(model)),
        ("compiled by torch.compile",),
    ),
    "compiled around DataParallel": (
        lambda model: _compiled(torch.nn.DataParallel(model)),
        ("compiled by torch.compile, and checked as it runs uncompiled",),
    ),
}


def _pipeline(model: Any, tokenizer: Any) -> Any:
    return hf.pipeline("feature-extraction", model=model, tokenizer=tokenizer, device="cpu")


@pytest.mark.parametrize("kind", AROUND)
def test_a_container_is_taken_off(kind: str, plain: tuple[Path, WatermarkCard]) -> None:
    folder, card = plain
    (model, tokenizer), (put_around, named) = loaded(folder), AROUND[kind]
    subject = put_around(model)
    found = verdict(card, subject, tokenizer)
    assert found.status == "authentic", found.reason
    assert found.process == named
    with torch.no_grad():
        model.encoder.layer[0].output.dense.weight[0, 0] += 0.5
    altered = verdict(card, subject, tokenizer)
    assert altered.status == "altered"
    assert altered.tensors.changed == ("encoder.layer.0.output.dense.weight",)


def test_a_pipeline_brings_its_processor(plain: tuple[Path, WatermarkCard]) -> None:
    folder, card = plain
    model, tokenizer = loaded(folder)
    pipeline = _pipeline(model, tokenizer)
    found = verdict(card, pipeline)
    assert (found.status, found.process) == ("authentic", ()), found.reason
    assert verdict(card, pipeline, tokenizer).authentic
    with pytest.raises(EncoderError, match="another one than the FeatureExtractionPipeline runs"):
        wrap_module(pipeline, hf.AutoTokenizer.from_pretrained(folder))
    pipeline.preprocess = lambda *_, **__: None
    assert verdict(card, pipeline).process == ("patched preprocess on the FeatureExtractionPipeline",)
    with torch.no_grad():
        model.encoder.layer[0].output.dense.weight[0, 0] += 0.5
    assert verdict(card, pipeline).status == "altered"


def test_a_pipeline_of_images_brings_the_processor_of_images(tmp_path: Path) -> None:
    model, processor = tiny_models.build("vit"), tiny_models.image_processor()
    pipeline = hf.pipeline("image-feature-extraction", model=model, image_processor=processor, device="cpu")
    assert wrap_module(pipeline).processor is processor


def test_compiled_code_is_run_by_the_check(plain: tuple[Path, WatermarkCard]) -> None:
    folder, card = plain
    model, tokenizer = loaded(folder)

    def louder(graph: Any, _inputs: Any) -> Callable[..., Any]:
        return lambda *inputs: tuple(
            out * 1.1 if out is not None and out.is_floating_point() else out for out in graph(*inputs)
        )

    found = verdict(card, torch.compile(model, backend=louder), tokenizer)
    assert found.status == "inconclusive"
    assert found.precision == "float32"
    assert found.first_broken_strip is not None


def test_compiled_code_that_fails_is_no_pass(plain: tuple[Path, WatermarkCard]) -> None:
    folder, card = plain
    model, tokenizer = loaded(folder)

    def broken(_graph: Any, _inputs: Any) -> Any:
        raise RuntimeError("no compiler here")

    found = verdict(card, torch.compile(model, backend=broken), tokenizer)
    assert found.status == "inconclusive"
    assert "backend='broken'" in found.reason


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
            (lambda m: setattr(m, "truncate_dim", 5), "width 5"),
            (lambda m: setattr(m[1], "include_prompt", False), "include_prompt"),
            (lambda m: m.prompts.update(other="x "), "prompts"),
            (lambda m: m.append(type(m[3])()), "modules.json"),
            (lambda m: m[2].register_module("activation_function", torch.nn.ReLU()), "activation_function"),
            (lambda m: setattr(m[0].tokenizer.backend_tokenizer, "normalizer", None), "normalizer"),
            (lambda m: m[2].linear.weight.data.neg_(), "2_Dense.linear.weight"),
            (lambda m: m[0].auto_model.embeddings.word_embeddings.weight.data.neg_(), "word_embeddings"),
        ],
        ids=[
            "no prompt",
            "prompt",
            "pooling",
            "length",
            "similarity",
            "truncation",
            "prompt not pooled",
            "another prompt",
            "module",
            "activation",
            "tokenizer",
            "dense layer",
            "weight",
        ],
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

    @pytest.mark.parametrize("inner", ["compiled", "DataParallel"])
    def test_a_container_around_its_model_is_taken_off(
        self, inner: str, sentences: tuple[Path, WatermarkCard]
    ) -> None:
        folder, card = sentences
        model = self.load(folder)
        model[0].model = AROUND[inner][0](model[0].model)
        found = verdict(card, model)
        assert found.status == "authentic", found.reason
        assert found.process == AROUND[inner][1]

    def test_an_object_compiled_as_a_whole_is_named(self, sentences: tuple[Path, WatermarkCard]) -> None:
        folder, card = sentences
        model = self.load(folder)
        model.compile(backend="eager")
        found = verdict(card, model)
        assert (found.status, found.process) == ("authentic", ("compiled the SentenceTransformer",))

    def test_lower_casing_is_that_of_the_folder(self, tmp_path: Path) -> None:
        folder = write(tmp_path, "Pooling", sentence_bert_config={"do_lower_case": True})
        recorded = open_encoder(folder, name="folder", device="cpu").behaviour()
        assert recorded.differences_to(wrap_module(self.load(folder)).behaviour()) == {}

    def test_the_longest_text_is_that_of_the_folder_where_positions_begin_later(self, tmp_path: Path) -> None:
        write(tmp_path, "Pooling")
        tiny_models.build("roberta").save_pretrained(tmp_path)
        recorded = open_encoder(tmp_path, name="folder", device="cpu").behaviour()
        assert recorded.differences_to(wrap_module(self.load(tmp_path)).behaviour()) == {}

    def test_a_class_of_its_own_is_refused(self, sentences: tuple[Path, WatermarkCard]) -> None:
        from sentence_transformers import SentenceTransformer

        class Louder(SentenceTransformer):
            pass

        with pytest.raises(EncoderError, match="Louder is a class of your own"):
            wrap_module(Louder(str(sentences[0]), device="cpu"))

    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (
                lambda m: setattr(m[1], "pooling_mode", "magic"),
                "1_Pooling/config.json in memory: unknown pooling",
            ),
            (lambda m: m[2].register_module("activation_function", torch.nn.GELU("tanh")), "tanh"),
            (lambda m: m.insert(2, torch.nn.Identity()), "unknown module type"),
            (lambda m: setattr(m[0], "processing_kwargs", {"text": {"padding": object()}}), "Transformer"),
        ],
        ids=["pooling", "activation", "module", "processing"],
    )
    def test_what_is_not_known_is_refused_without_a_word_of_temporary_files(
        self, edit: Callable[[Any], None], message: str, sentences: tuple[Path, WatermarkCard]
    ) -> None:
        model = self.load(sentences[0])
        edit(model)
        with pytest.raises(EncoderError, match=message) as raised:
            wrap_module(model)
        assert "sslauth-object" not in str(raised.value)

    def test_a_card_of_the_model_alone_does_not_serve_it(
        self, sentences: tuple[Path, WatermarkCard], plain: tuple[Path, WatermarkCard]
    ) -> None:
        model = self.load(sentences[0])
        with pytest.raises(UsageError, match="of a transformers model alone"):
            verdict(plain[1], model)
        with pytest.raises(UsageError, match="neither its pooling"):
            verdict(sentences[1], model[0].auto_model, model.tokenizer)


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


def test_a_module_around_a_model_that_is_no_known_container_is_refused(
    plain: tuple[Path, WatermarkCard],
) -> None:
    class Around(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model, self.config = model, model.config

    model, tokenizer = loaded(plain[0])
    with pytest.raises(EncoderError, match="Around is not a transformers model"):
        wrap_module(Around(model), tokenizer)


def test_offloaded_tensors_are_refused_in_one_line(plain: tuple[Path, WatermarkCard]) -> None:
    from accelerate import cpu_offload

    folder, card = plain
    model, tokenizer = loaded(folder)
    held = wrap_module(model, tokenizer)
    cpu_offload(model, execution_device="cpu")
    with pytest.raises(EncoderError, match="tensors hold no values"):
        wrap_module(model, tokenizer)
    with pytest.raises(EncoderError, match="tensors hold no values"):
        Authenticator(card=card, trust="local").authenticate(held)


def test_tensors_without_values_are_refused_in_one_line(plain: tuple[Path, WatermarkCard]) -> None:
    folder, _ = plain
    _, tokenizer = loaded(folder)
    with torch.device("meta"):
        empty = hf.AutoModel.from_config(hf.AutoConfig.from_pretrained(folder))
    with pytest.raises(EncoderError, match="tensors hold no values"):
        wrap_module(empty, tokenizer)
