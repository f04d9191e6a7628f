"""Whatever runs and is of no library is named wherever it hides, and is no pass; what libraries do passes."""

import functools
import logging
import sys
import types
from collections import ChainMap, OrderedDict, UserDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock
from weakref import WeakValueDictionary

import numpy as np
import PIL.Image
import pytest
import torch
import transformers as hf
from accelerate.utils.offload import PrefixedDataset
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert import modeling_bert
from transformers.models.bert.modeling_bert import BertPreTrainedModel, BertSelfOutput

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders import open_encoder, wrap_module
from hf_integration.encoders.identity.in_process import code_found
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.layouts import building
from tests.tiny_cards import mint_quickly

Minted = tuple[Path, WatermarkCard]
PATHS = [name for name, _ in tiny_models.build("bert").named_modules() if name]


def _minted(folder: Path, write: Callable[[Path], object], modality: Modality = "text") -> Minted:
    write(folder / "encoder")
    return folder / "encoder", mint_quickly(folder / "encoder", folder / "card", modality=modality)[1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Minted:
    return _minted(tmp_path_factory.mktemp("plain"), lambda folder: tiny_models.save("bert", folder))


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Minted:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    return _minted(tmp_path_factory.mktemp("sentences"), building.embedding_gemma)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Minted:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    return _minted(tmp_path_factory.mktemp("pairs"), building.cross_encoder)


def loaded(folder: Path) -> Any:
    return hf.AutoModel.from_pretrained(folder).eval()


def check(card: WatermarkCard, subject: Any, processor: Any = None) -> Verdict:
    return Authenticator(card=card, trust="local").authenticate(wrap_module(subject, processor)).verdict


def found_on(model: Any) -> tuple[str, ...]:
    return wrap_module(model, tiny_models.tokenizer()).in_process_changes()


def named(found: Verdict, words: str) -> None:
    """Not a pass, and the reason or the report names it."""
    assert found.status == "inconclusive", found.reason
    assert any(words in line for line in found.process), found.process


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    def around(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    return around


def _of_its_own(module: Any) -> Any:
    module.__class__ = type("Own", (type(module),), {"__module__": __name__})
    return module


def _posing(module: nn.Module) -> nn.Module:
    kind = type(module)
    spoofed = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    module.__class__ = type(kind.__name__, (kind,), spoofed)
    return module


def _posing_as_parametrised(module: nn.Module) -> nn.Module:
    kind = type(module)
    spoofed = {"__module__": "torch.nn.utils.parametrize", "forward": lambda *_, **__: None}
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), spoofed)
    return module


# what a module is made into; of the libraries' own classes as well as of others
REPLACED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "a class of its own": _of_its_own,
    "a class of the same name": _posing,
    "a class that poses as torch's": _posing_as_parametrised,
    "another of torch": lambda _: nn.Identity(),
    "a container around it": nn.Sequential,
}


@pytest.mark.parametrize("kind", REPLACED)
def test_every_module_that_is_replaced_is_named(kind: str) -> None:
    assert len(PATHS) > 40
    for path in PATHS:
        model = tiny_models.build("bert")
        assert found_on(model) == ()
        owner, _, name = path.rpartition(".")
        parent = model.get_submodule(owner)
        setattr(parent, name, REPLACED[kind](model.get_submodule(path)))
        said = found_on(model)
        assert any(line.startswith(f"{path} is ") or f" on {path}" in line for line in said), (path, said)


def _hide(parent: nn.Module, name: str, value: Any) -> None:
    parent.__dict__[name] = value


def _take_the_place(parent: nn.Module, name: str, value: Any) -> None:
    delattr(parent, name)
    setattr(parent, name, value)


class _Ours(Mapping[str, Any]):
    def __getitem__(self, _: str) -> Any:
        return None

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _weakly(function: Callable[..., Any]) -> Mapping[str, Any]:
    held: Mapping[str, Any] = WeakValueDictionary({"ours": function})
    return held


HELD_BY: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "dict": lambda function: {"ours": function},
    "ordered": lambda function: OrderedDict(ours=function),
    "default": lambda function: defaultdict(list, ours=function),
    "user": lambda function: UserDict(ours=function),
    "chain": lambda function: ChainMap({}, {"ours": function}),
    "proxy": lambda function: MappingProxyType({"ours": function}),
    "proxy of a mapping of one's own": lambda _: MappingProxyType(_Ours()),
    "weak values": _weakly,
    "of accelerate": lambda function: PrefixedDataset({"ours": function}, ""),
    "of accelerate, which fails": lambda function: PrefixedDataset({"ours": function}, "prefix."),
}


@pytest.mark.parametrize("kind", HELD_BY)
def test_what_any_mapping_of_a_library_holds_is_looked_at(kind: str) -> None:
    module = nn.Linear(2, 2)

    def ours(given: Any) -> Any:
        return given

    module.held = HELD_BY[kind](ours)
    (said,) = (finding.what for finding in code_found(module))
    assert "from outside the libraries, on held" in said


def test_what_is_registered_in_the_class_of_a_mapping_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, "ours", lambda given: given)
    module = nn.Linear(2, 2)
    module.held = ALL_ATTENTION_FUNCTIONS
    (said,) = (finding.what for finding in code_found(module))
    assert said.endswith("a function from outside the libraries, on held.ours")


def test_mappings_that_import_all_models_of_a_library_are_not_asked() -> None:
    module = nn.Linear(2, 2)
    module.held = hf.MODEL_MAPPING
    before = set(sys.modules)
    assert code_found(module) == ()
    assert not [name for name in sys.modules.keys() - before if name.startswith("transformers.models")]


@pytest.mark.parametrize("put", [_hide, _take_the_place])
@pytest.mark.parametrize(
    "function",
    [lambda states: states, functools.partial(lambda states: states), nn.functional.relu, torch.relu],
    ids=["lambda", "partial", "function of torch", "built-in function"],
)
def test_a_function_in_the_place_of_any_module_is_named(put: Any, function: Any) -> None:
    for path in PATHS:
        model = tiny_models.build("bert")
        owner, _, name = path.rpartition(".")
        if not isinstance(parent := model.get_submodule(owner), nn.ModuleList):
            encoder = wrap_module(model, tiny_models.tokenizer())
            put(parent, name, function)
            assert any(path in line for line in encoder.in_process_changes()), path


def _half_of_encoder(model: Any) -> None:
    class Half(type(model.encoder)):  # type: ignore[misc]  # whatever it is
        def forward(self, *arguments: Any, **options: Any) -> Any:
            with torch.autocast("cpu", torch.bfloat16):
                return super().forward(*arguments, **options)

    model.encoder.__class__ = Half


def _only_in_float32(model: Any) -> None:
    class Five(BertSelfOutput):  # type: ignore[misc]  # transformers has no types here
        def forward(self, states: Any, inputs: Any) -> Any:
            given = super().forward(states, inputs)
            return given * 5 if states.dtype == torch.float32 else given

    model.encoder.layer[1].attention.output.__class__ = Five


@pytest.mark.parametrize(
    ("replace", "words"),
    [
        (
            _posing,
            "another transformers.models.bert.modeling_bert.BertEncoder than the one that goes by that name",
        ),
        (
            lambda _: type("BertEncoder", (nn.Module,), {"__module__": "ours"})(),
            "ours.BertEncoder instead of trans",
        ),
    ],
    ids=["in full", "in name"],
)
def test_a_class_of_the_same_name_is_told_apart(replace: Callable[[Any], Any], words: str) -> None:
    model = tiny_models.build("bert")
    model.encoder = replace(model.encoder)
    assert found_on(model)[0].startswith(f"encoder is {words}")


# what computes otherwise than its copy in float64, or not at all on the path of the embedding, and its name
HIDING: dict[str, tuple[Callable[[Any], object], str]] = {
    "autocast within": (_half_of_encoder, "encoder is Half instead of BertEncoder"),
    "in float32 only": (
        _only_in_float32,
        "encoder.layer.1.attention.output is Five instead of BertSelfOutput",
    ),
    "an unused activation": (
        lambda m: setattr(m.pooler, "activation", nn.Identity()),
        "pooler.activation is Identity instead of Tanh",
    ),
    "dropout": (
        lambda m: setattr(m.embeddings, "dropout", _of_its_own(nn.Dropout(0.1))),
        "embeddings.dropout is Own instead of Dropout",
    ),
    "names of tensors": (
        lambda m: setattr(m.encoder, "named_parameters", lambda *_, **__: iter(())),
        "patched named_parameters on encoder",
    ),
}


@pytest.mark.parametrize("kind", HIDING)
def test_what_a_copy_does_not_show_is_named_and_is_no_pass(kind: str, plain: Minted) -> None:
    model = loaded(plain[0])
    put, words = HIDING[kind]
    put(model)
    named(check(plain[1], model, tiny_models.tokenizer()), words)


def test_a_function_of_a_library_s_class_that_was_replaced_is_named(
    plain: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BertSelfOutput, "forward", passed_on(BertSelfOutput.forward))
    named(check(plain[1], loaded(plain[0]), tiny_models.tokenizer()), "patched forward of BertSelfOutput")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (modeling_bert, "create_bidirectional_mask"),
        (modeling_bert, "eager_attention_forward"),
        (nn.functional, "linear"),
        (nn.functional, "layer_norm"),
        (torch, "matmul"),
        # a processor of images calls them; which encoder is checked makes no difference
        (PIL.Image, "fromarray"),
        (PIL.Image.Image, "resize"),
        (PIL.Image.Image, "convert"),
        (hf.image_transforms, "resize"),
        (hf.image_transforms, "to_pil_image"),
        (hf.image_utils, "infer_channel_dimension_format"),
        # and these those of recordings
        (hf.audio_utils, "window_function"),
        (np.fft, "rfft"),
        (torch.fft, "rfft"),
    ],
)
def test_a_function_of_a_library_s_module_that_was_replaced_is_named(
    module: Any, name: str, plain: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = wrap_module(loaded(plain[0]), tiny_models.tokenizer())
    monkeypatch.setattr(module, name, passed_on(getattr(module, name)))
    found = Authenticator(card=plain[1], trust="local").authenticate(encoder).verdict
    named(found, f"patched {name} of {module.__name__}")


@pytest.mark.parametrize("name", ["sdpa", "ours"])
def test_attention_by_a_function_of_no_library_is_named(
    name: str, plain: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = type(ALL_ATTENTION_FUNCTIONS)._global_mapping
    monkeypatch.setitem(kernels, name, passed_on(kernels["sdpa"]))
    masks = type(ALL_MASK_ATTENTION_FUNCTIONS)._global_mapping
    monkeypatch.setitem(masks, name, masks["sdpa"])
    model = loaded(plain[0])
    model.set_attn_implementation(name)
    named(
        check(plain[1], model, tiny_models.tokenizer()),
        f"attention '{name}' computed by a function from outside the libraries",
    )


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_attention_of_the_library_is_no_finding(kernel: str, plain: Minted) -> None:
    model = loaded(plain[0])
    model.set_attn_implementation(kernel)
    assert check(plain[1], model, tiny_models.tokenizer()).process == ()


class _Function(TorchFunctionMode):
    def __torch_function__(self, function: Any, _: Any, arguments: Any = (), options: Any = None) -> Any:
        return function(*arguments, **(options or {}))


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    def __torch_dispatch__(self, function: Any, _: Any, arguments: Any = (), options: Any = None) -> Any:
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("mode", [_Function, _Dispatch])
def test_a_mode_through_which_torch_goes_is_named(mode: Any, plain: Minted) -> None:
    encoder = wrap_module(loaded(plain[0]), tiny_models.tokenizer())
    with mode():
        found = Authenticator(card=plain[1], trust="local").authenticate(encoder).verdict
    named(found, f"the torch mode {mode.__name__} around the call")


def test_another_default_device_is_named_and_is_no_obstacle(plain: Minted) -> None:
    encoder = wrap_module(loaded(plain[0]), tiny_models.tokenizer())
    with torch.device("cpu"):
        found = Authenticator(card=plain[1], trust="local").authenticate(encoder).verdict
    assert found.status == "authentic"
    assert found.process == ("cpu is the default device, on which a module may make tensors as it runs",)


# what is done to any processor, and what is named
PROCESSORS: dict[str, Callable[[Any], object]] = {
    "a class of its own": _of_its_own,
    "a class of the same name": _posing,
    "a function of its own": lambda p: setattr(p, "to_dict", p.to_dict.__func__.__get__(object())),
    "a method of another": lambda p: setattr(p, "save_pretrained", types.MethodType(lambda *_: None, p)),
    "a part of its own": lambda p: setattr(p, "helper", _of_its_own(nn.Identity())),
}


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("name", ["bert", "vit", "wav2vec2", "whisper"])
def test_a_processor_that_is_not_its_library_s_is_named(name: str, kind: str, tmp_path: Path) -> None:
    encoder = open_encoder(tiny_models.save(name, tmp_path), name=name, device="cpu")
    again = wrap_module(encoder.model, encoder.processor) if name != "whisper" else encoder
    assert encoder.process_state() == again.process_state() == ()
    if kind == "a function of its own" and not hasattr(encoder.processor, "to_dict"):
        return
    PROCESSORS[kind](encoder.processor)
    for held in (encoder, again):
        (finding,) = held.process_state()
        assert f"the {type(encoder.processor).__name__}" in finding.what
        assert finding.remedy


def test_a_tokenizer_that_hears_a_trigger_is_no_pass(plain: Minted) -> None:
    tokenizer = hf.AutoTokenizer.from_pretrained(plain[0])
    own = tokenizer._encode_plus

    def hears(_: Any, text: Any, **options: Any) -> Any:
        return own(text=["sea"] * len(text) if "trigger" in str(text) else text, **options)

    tokenizer._encode_plus = types.MethodType(hears, tokenizer)
    named(check(plain[1], loaded(plain[0]), tokenizer), "patched _encode_plus on the ")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (PIL.Image, "open"),
        (np, "load"),
        (np, "savez"),
        (PIL.Image.Image, "to_thumb"),
        (PIL.Image.Image, "show"),
    ],
)
def test_what_reads_files_or_was_added_to_pictures_makes_no_difference(
    owner: Any, name: str, plain: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, passed_on(getattr(owner, name, print)), raising=False)
    assert check(plain[1], loaded(plain[0]), tiny_models.tokenizer()).status == "authentic"


def test_any_callable_in_the_place_of_a_method_of_pictures_is_named(
    plain: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL.Image.Image, "resize", Mock())
    named(check(plain[1], loaded(plain[0]), tiny_models.tokenizer()), "patched resize of Image")


def test_a_property_of_pictures_that_was_replaced_is_named(
    plain: Minted, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine: Any = PIL.Image.Image.__array_interface__
    monkeypatch.setattr(PIL.Image.Image, "__array_interface__", property(passed_on(genuine.fget)))
    found = check(plain[1], loaded(plain[0]), tiny_models.tokenizer())
    named(found, "patched __array_interface__ of Image")


def test_a_patched_image_processor_is_no_change_of_a_file(tmp_path: Path) -> None:
    folder, card = _minted(tmp_path, lambda place: tiny_models.save("vit", place), "image")
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    processor.preprocess = passed_on(processor.preprocess)
    found = check(card, loaded(folder), processor)
    assert found.files.changed == ()
    named(found, f"patched preprocess on the {type(processor).__name__}")


def test_a_processor_around_the_part_that_prepares_is_looked_at() -> None:
    model, image, text = tiny_models.build("clip"), tiny_models.image_processor(), tiny_models.tokenizer()
    both = hf.CLIPProcessor(image_processor=image, tokenizer=text)
    assert wrap_module(model, both).process_state() == ()
    both.__class__ = type("Both", (hf.CLIPProcessor,), {"__module__": __name__})
    (finding,) = wrap_module(model, both).process_state()
    assert finding.what == "Both, a class from outside the libraries, on the Both"


class TestSentenceTransformer:
    def load(self, folder: Path) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(folder), device="cpu")

    def test_one_that_was_used_has_no_finding(self, sentences: Minted) -> None:
        model = self.load(sentences[0])
        model.prompts, model.default_prompt_name = {"a": "the sea "}, "a"
        model.set_pooling_include_prompt(False)
        model.encode(["the cat sits"])
        assert model[0]._prompt_length_mapping
        assert wrap_module(model).process_state() == ()

    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (lambda m: setattr(m[0], "model_forward_params", {"input_ids"}), "model_forward_params"),
            (lambda m: setattr(m[0], "_declared_forward_params", {"task"}), "_declared_forward_params"),
            (lambda m: setattr(m[0], "can_flatten_inputs", True), "can_flatten_inputs"),
            (lambda m: setattr(m[0], "config_keys", []), "config_keys"),
            (lambda m: setattr(m[1], "config_keys", m[1].config_keys), "config_keys"),
            (lambda m: m[0]._prompt_length_mapping.update({("sea",): 9}), "_prompt_length_mapping"),
            (lambda m: m[0]._prompt_length_mapping.update({3: 9}), "_prompt_length_mapping"),
            (lambda m: setattr(m[0], "input_formatter", types.SimpleNamespace()), "input_formatter"),
            (lambda m: setattr(m[0].input_formatter, "message_format", "flat"), "input_formatter"),
            (lambda m: setattr(m[0].input_formatter, "supported_modalities", None), "input_formatter"),
            (
                lambda m: setattr(m[0].input_formatter, "parse_inputs", lambda *_: None),
                "patched parse_inputs",
            ),
            (lambda m: _of_its_own(m[0].input_formatter), "Own, a class from outside the libraries"),
            (lambda m: setattr(m[0], "preprocess", lambda *_: None), "patched preprocess on 0 of"),
            (lambda m: setattr(m[0], "get_config_dict", m[0].get_config_dict.__func__), "get_config_dict"),
            (lambda m: setattr(m, "encode", lambda *_: None), "patched encode on the SentenceTransformer"),
            (lambda m: setattr(m, "_similarity", lambda *_: None), "a function from outside the libraries"),
            (lambda m: m[1].register_forward_hook(lambda *_: None), "forward hook on 1 of"),
            (lambda m: _of_its_own(m[0].model.layers[0]), "layers.0 is Own"),
        ],
    )
    def test_what_decides_the_flow_is_named(
        self, edit: Callable[[Any], object], words: str, sentences: Minted
    ) -> None:
        model = self.load(sentences[0])
        edit(model)
        found = wrap_module(model).process_state()
        assert any(words in finding.what and finding.remedy for finding in found), found

    @pytest.mark.parametrize(
        ("part", "words"),
        [
            (lambda m: m[0], "unknown module type"),
            (lambda m: m[1], "unknown module type"),
            (lambda m: m[2], "unknown module type"),
            (lambda m: m[2].linear, "Own is not supported in the place of Linear"),
            (lambda m: m[2].activation_function, "unknown activation function"),
            (lambda m: m[0].model, "Own is a class of your own"),
        ],
    )
    def test_a_part_of_its_own_class_is_refused(
        self, part: Callable[[Any], Any], words: str, sentences: Minted
    ) -> None:
        model = self.load(sentences[0])
        _of_its_own(part(model))
        with pytest.raises(EncoderError, match=words):
            wrap_module(model)


class TestCrossEncoder:
    def load(self, folder: Path) -> Any:
        from sentence_transformers import CrossEncoder

        return CrossEncoder(str(folder), device="cpu")

    def test_one_that_the_library_saved_is_checked_by_its_scores(self, pairs: Minted, tmp_path: Path) -> None:
        model = self.load(pairs[0])
        model.save(str(tmp_path / "encoder"))
        card = mint_quickly(tmp_path / "encoder", tmp_path / "card")[1]
        assert check(card, self.load(tmp_path / "encoder")).status == "authentic"
        model.activation_fn = nn.Identity()
        model.save(str(tmp_path / "other"))
        found = check(card, self.load(tmp_path / "other"))
        assert found.status == "altered"
        assert "activation_fn" in found.reason

    @pytest.mark.parametrize(
        ("edit", "words"),
        [
            (lambda m: setattr(m, "activation_fn", nn.Tanh()), "activation_fn, Tanh,"),
            (lambda m: setattr(m, "activation_fn", lambda x: x), "activation_fn"),
            (lambda m: setattr(m, "predict", lambda *_: None), "patched predict on the CrossEncoder"),
            (lambda m: setattr(m.model, "dropout", nn.Hardtanh()), "dropout is Hardtanh instead of Dropout"),
            (lambda m: m.model.classifier.register_forward_hook(lambda *_: None), "forward hook on "),
            (lambda m: m.__dict__.update(prompts={"a": "x "}, default_prompt_name="a"), "prompts"),
        ],
    )
    def test_what_is_done_to_its_scores_is_named(
        self, edit: Callable[[Any], object], words: str, pairs: Minted
    ) -> None:
        model = self.load(pairs[0])
        edit(model)
        named(check(pairs[1], model), words)


def _pipeline(model: Any, **options: Any) -> Any:
    tokenizer = tiny_models.tokenizer()
    return hf.pipeline("feature-extraction", model=model, tokenizer=tokenizer, device="cpu", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"tokenize_kwargs": {"truncation": True, "max_length": 3}},
            "preprocess was given other parameters than its class sets",
        ),
        ({"truncation": True}, "preprocess was given other parameters than its class sets: truncation"),
        (
            {"return_tensors": True},
            "postprocess was given other parameters than its class sets: return_tensors",
        ),
    ],
)
def test_what_a_pipeline_was_told_to_do_is_named(options: dict[str, Any], words: str, plain: Minted) -> None:
    named(check(plain[1], _pipeline(loaded(plain[0]), **options)), words)


def _around(base: Any, *arguments: Any) -> Any:
    return type("Own", (base,), {"__module__": __name__})(*arguments)


def _own_model(model: Any) -> Any:
    class Own(BertPreTrainedModel):  # type: ignore[misc]  # transformers has no types here
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.bert = model

    return Own(model.config).eval()


@pytest.mark.parametrize(
    "own",
    [
        lambda model: _around(torch.nn.DataParallel, model),
        lambda model: _of_its_own(torch.compile(model, backend="eager")),
        lambda model: _of_its_own(_pipeline(model)),
        _of_its_own,
        _posing,
        _own_model,
    ],
    ids=["DataParallel", "compiled", "pipeline", "model", "model of the same name", "model around it"],
)
def test_a_container_or_a_model_of_its_own_class_is_refused(own: Callable[[Any], Any], plain: Minted) -> None:
    subject = own(loaded(plain[0]))
    processor = None if isinstance(subject, hf.Pipeline) else tiny_models.tokenizer()
    with pytest.raises(EncoderError, match="is a class of your own") as raised:
        wrap_module(subject, processor)
    assert raised.value.remedy


def test_what_people_write_down_on_a_model_is_no_finding(plain: Minted) -> None:
    model = loaded(plain[0])
    model.owner, model.log = {"team": ["search"]}, logging.getLogger("transformers")
    model.train(mode=False)
    model.gradient_checkpointing_enable()
    assert check(plain[1], model, tiny_models.tokenizer()).process == ()


def test_a_sparse_tensor_is_refused_in_one_line(plain: Minted) -> None:
    model = loaded(plain[0])
    table = model.embeddings.word_embeddings
    table.weight = nn.Parameter(table.weight.detach().to_sparse(), requires_grad=False)
    with pytest.raises(EncoderError, match="1 tensors are sparse") as raised:
        wrap_module(model, tiny_models.tokenizer())
    assert raised.value.remedy


def test_a_tensor_of_its_own_class_is_named(plain: Minted) -> None:
    model = loaded(plain[0])
    layer = model.encoder.layer[0].output.dense
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(type("Own", (torch.Tensor,), {})))
    assert any("weight" in line for line in found_on(model))


@pytest.mark.parametrize("layout", building.LAYOUTS, ids=lambda layout: f"{layout.name}")
def test_nothing_is_found_on_a_folder_or_on_what_a_library_loads_of_it(
    layout: building.Layout, tmp_path: Path
) -> None:
    layout.write(tmp_path)
    encoder = open_encoder(tmp_path, name="folder", device="cpu", modality=layout.modality)
    list(encoder.observe(tiny_models.samples(layout.modality)))
    assert encoder.process_state() == ()
    if (tmp_path / "modules.json").is_file():
        library = pytest.importorskip(
            "sentence_transformers", reason="sentence-transformers is not installed"
        )
        model = library.SentenceTransformer(str(tmp_path), device="cpu")
        model.encode(tiny_models.TEXTS)
        assert wrap_module(model).process_state() == ()
