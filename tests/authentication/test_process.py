"""What of the process changes what users get is named, whatever the watermark says, and is no pass."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
import transformers as hf
from torch.nn.modules import module as every_module

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.encoders import wrap_module
from hf_integration.encoders.identity.process_state import process_state
from hf_integration.report import render
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.tiny_cards import mint_quickly

Minted = tuple[Path, WatermarkCard]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Minted:
    root = tmp_path_factory.mktemp("plain")
    folder = tiny_models.save("bert", root / "encoder")
    return folder, mint_quickly(folder, root / "card")[1]


@pytest.fixture
def model(plain: Minted) -> Any:
    return hf.AutoModel.from_pretrained(plain[0]).eval()


def check(card: WatermarkCard, model: Any) -> Verdict:
    return (
        Authenticator(card=card, trust="local")
        .authenticate(wrap_module(model, tiny_models.tokenizer()))
        .verdict
    )


def same(_module: Any, _inputs: Any, output: Any) -> Any:
    return output


def thrice(_module: Any, _inputs: Any, output: Any) -> Any:
    output.last_hidden_state = output.last_hidden_state * 3
    return output


def _passed_on(module: Any) -> None:
    own = module.forward
    module.forward = partial(own)


def _foreign_hook_of_accelerate(module: Any) -> None:
    from accelerate.hooks import ModelHook, add_hook_to_module

    class Louder(ModelHook):  # type: ignore[misc]  # accelerate has no types
        def post_forward(self, _module: Any, output: Any) -> Any:
            return output

    add_hook_to_module(module, Louder())


def _moving_hook_around_a_patch(module: Any) -> None:
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module

    _passed_on(module)
    add_hook_to_module(module, AlignDevicesHook(execution_device="cpu"))


def _mixed_precision(model: Any) -> None:
    from accelerate.utils import convert_outputs_to_fp32

    # as Accelerator(mixed_precision="bf16").prepare does, which would set the mode of this whole process
    model._original_forward = model.forward
    around = torch.autocast("cpu", dtype=torch.bfloat16)(model.forward.__func__)
    model.forward = MethodType(convert_outputs_to_fp32(MethodType(around, model).__func__), model)


def _compiled_otherwise(module: Any) -> None:
    honest = module._call_impl
    module._compiled_call_impl = partial(honest)


# what is put onto a model, and what is named; none of it changes the embedding's direction by much
PUT: dict[str, tuple[Callable[[Any], object], str]] = {
    "hook on the model": (lambda m: m.register_forward_hook(same), "forward hook on the model"),
    "pre-hook": (
        lambda m: m.encoder.register_forward_pre_hook(lambda *_: None),
        "forward pre-hook on encoder",
    ),
    "hook on a part": (
        lambda m: m.encoder.layer[1].register_forward_hook(same),
        "forward hook on encoder.layer.1",
    ),
    "hook on an unused part": (lambda m: m.pooler.register_forward_hook(same), "forward hook on pooler"),
    "hook that scales": (lambda m: m.register_forward_hook(thrice), "forward hook on the model"),
    "patched forward": (
        lambda m: _passed_on(m.encoder.layer[0].output),
        "patched forward on encoder.layer.0.output",
    ),
    "patched function": (
        lambda m: setattr(m.encoder.layer[0], "feed_forward_chunk", m.encoder.layer[1].feed_forward_chunk),
        "patched feed_forward_chunk on encoder.layer.0",
    ),
    "hook of accelerate that computes": (
        lambda m: _foreign_hook_of_accelerate(m.encoder),
        "patched forward on encoder",
    ),
    "patch below a hook of accelerate": (
        lambda m: _moving_hook_around_a_patch(m.encoder),
        "patched forward on encoder",
    ),
    "mixed precision": (
        _mixed_precision,
        "autocast around the forward of the model, put there by accelerate",
    ),
    "not compiled by torch": (lambda m: _compiled_otherwise(m.encoder), "compiled encoder"),
    "training mode": (lambda m: m.train(), "training mode with active dropout on the model and "),
}
# a hook keeps its own class beside the forward that it was put around
ALSO_NAMED = {
    "hook of accelerate that computes": ["Louder, a class from outside the libraries, on encoder._hf_hook"]
}


@pytest.mark.parametrize("kind", PUT)
def test_what_is_put_onto_a_model_is_named_everywhere_and_is_no_pass(
    kind: str, model: Any, plain: Minted
) -> None:
    put, named = PUT[kind]
    put(model)
    found = check(plain[1], model)
    assert found.status == "inconclusive"
    said, *also = found.process
    assert said.startswith(named)
    assert also == ALSO_NAMED.get(kind, [])
    assert found.tensors.matches == "stored"
    assert said in render(found)
    assert found.to_dict()["process"] == (said, *also)
    assert (
        "fresh process" in found.diagnosis[-1] or "eval()" in found.diagnosis[-1] or kind == "mixed precision"
    )


def test_hooks_on_every_module_are_named(model: Any, plain: Minted) -> None:
    handle = every_module.register_module_forward_hook(same)
    try:
        found = check(plain[1], model)
    finally:
        handle.remove()
    assert (found.status, found.process) == ("inconclusive", ("forward hook on every module",))


def test_an_intact_watermark_is_said_so_with_the_finding_and_its_remedy(model: Any, plain: Minted) -> None:
    model.register_forward_hook(thrice)
    found = check(plain[1], model)
    assert all(strip.intact for strip in found.strips)
    assert found.reason == (
        "the watermark is intact, but its users may get other embeddings: forward hook on the model"
    )
    assert found.diagnosis[-1] == ("this is not a pass: take it off, or load the encoder in a fresh process")


def test_what_is_put_onto_the_head_is_named_in_copies_as_well_as_they_run_it(plain: Minted) -> None:
    head = hf.BertForSequenceClassification.from_pretrained(plain[0]).eval()
    head.classifier.register_forward_hook(same)
    encoder = wrap_module(head, tiny_models.tokenizer())
    named = "forward hook on classifier of the head"
    copy = encoder.duplicate()
    for there in (encoder, copy):
        assert [finding.what for finding in there.process_state()] == [named]
    verdict = Authenticator(card=plain[1], trust="local").authenticate(copy).verdict
    assert (verdict.status, verdict.process) == ("inconclusive", (named,))


def test_what_is_put_onto_a_head_that_is_not_run_is_named_with_the_model_that_has_it(plain: Minted) -> None:
    whole = hf.BertForPreTraining.from_pretrained(plain[0]).eval()
    whole.cls.register_forward_hook(same)
    encoder = wrap_module(whole, tiny_models.tokenizer())
    assert [finding.what for finding in encoder.process_state()] == [
        "forward hook on cls of the BertForPreTraining"
    ]
    copy = encoder.duplicate()
    assert copy.process_state() == ()
    assert Authenticator(card=plain[1], trust="local").authenticate(copy).verdict.authentic


def test_what_is_put_onto_a_container_is_named(model: Any, plain: Minted) -> None:
    around = torch.nn.DataParallel(model)
    around.register_forward_hook(same)
    found = check(plain[1], around)
    assert (found.status, found.process) == ("inconclusive", ("forward hook on the DataParallel",))


@pytest.mark.parametrize("name", tiny_models.CONFIGS)
def test_nothing_is_found_on_a_model_as_its_library_loads_and_runs_it(name: str, tmp_path: Path) -> None:
    from hf_integration import load_encoder

    encoder = load_encoder(str(tiny_models.save(name, tmp_path)), device="cpu")
    list(encoder.observe(tiny_models.samples(encoder.modality)))
    assert encoder.process_state() == ()


class TestTraining:
    def test_without_dropout_is_no_finding(self) -> None:
        none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = hf.BertConfig(**{**tiny_models.build("bert").config.to_dict(), **none})
        assert process_state(hf.BertModel(config).train()) == ()

    @pytest.mark.parametrize(
        ("build", "named"),
        [
            (lambda: torch.nn.Dropout2d(0.1), "active dropout"),
            (lambda: torch.nn.AlphaDropout(0.1), "active dropout"),
            (lambda: torch.nn.BatchNorm1d(3), "statistics of the batch"),
            (lambda: torch.nn.SyncBatchNorm(3), "statistics of the batch"),
            (lambda: torch.nn.InstanceNorm1d(3, track_running_stats=True), "statistics of the batch"),
            (lambda: tiny_models.build("resnet"), "statistics of the batch"),
            (lambda: tiny_models.build("wav2vec2"), "active dropout"),
            (lambda: tiny_models.build("swin"), "active dropout"),
        ],
    )
    def test_is_found_wherever_something_is_drawn_or_averaged(
        self, build: Callable[[], Any], named: str
    ) -> None:
        module = torch.nn.ModuleDict({"part": build()})
        assert process_state(module.eval()) == ()
        (finding,) = process_state(module.train())
        assert named in finding.what
        assert finding.remedy == "call its eval() before it is used"

    @pytest.mark.parametrize("key", ["layerdrop", "mask_time_prob", "mask_feature_prob"])
    def test_is_found_where_only_the_configuration_says_it(self, key: str) -> None:
        model = tiny_models.build("wav2vec2")
        for held in vars(model.config):
            if "drop" in held or held.startswith("mask_"):
                setattr(model.config, held, 0)
        for module in model.modules():
            for held in ("p", "dropout"):
                if isinstance(vars(module).get(held), float):
                    setattr(module, held, 0.0)
        assert process_state(model.train()) == ()
        setattr(model.config, key, 0.1)
        assert process_state(model)


def test_autocast_around_the_call_is_named_and_is_no_pass(model: Any, plain: Minted) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = check(plain[1], model)
    assert found.status == "inconclusive"
    assert found.process == ("autocast to bfloat16 around the call, which this check switched off",)
    assert found.diagnosis[-1].endswith("outside torch.autocast")


def test_another_default_dtype_is_named_and_is_no_obstacle(model: Any, plain: Minted) -> None:
    with _default(torch.float64):
        found = check(plain[1], model)
    assert found.status == "authentic"
    assert found.process == ("float64 is the default dtype, in which a module may make tensors as it runs",)
    assert "1 finding in this process" in found.reason


@contextlib.contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
