"""Encoders that accelerate spread or offloaded: all that runs is read, or they are refused in one line."""

import contextlib
import copy
import functools
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from accelerate import Accelerator, cpu_offload, cpu_offload_with_hook, disk_offload, dispatch_model
from accelerate.hooks import (
    AlignDevicesHook,
    CpuOffload,
    SequentialHook,
    UserCpuOffloadHook,
    add_hook_to_module,
    remove_hook_from_module,
)
from accelerate.state import AcceleratorState

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.base.errors import EncoderError
from hf_integration.encoders import wrap_module
from hf_integration.encoders.identity.in_process import _NOT_COMPUTING, code_found
from hf_integration.verdict import Verdict
from tests.encoders import tiny_models
from tests.tiny_cards import FULL, mint_quickly

PARTS = {"embeddings": "cpu", "encoder.layer.0": "cpu", "encoder.layer.1": "cpu", "pooler": "cpu"}
ONE_ON_DISK = {**PARTS, "encoder.layer.1": "disk"}
ALTERED = ("embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.weight")
MOVED = ("hooks of accelerate that move tensors between devices",)
Load = Callable[..., Any]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatermarkCard]:
    root = tmp_path_factory.mktemp("plain")
    folder = tiny_models.save("bert", root / "encoder")
    return folder, mint_quickly(folder, root / "card", precisions=FULL)[1]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatermarkCard]:
    root = tmp_path_factory.mktemp("classifier")
    folder = tiny_models.save("bert", root / "encoder")
    config = hf.AutoConfig.from_pretrained(folder)
    hf.BertForSequenceClassification(config).save_pretrained(folder)
    return folder, mint_quickly(folder, root / "card", precisions=FULL)[1]


@pytest.fixture
def load(plain: tuple[Path, WatermarkCard]) -> Load:
    return lambda **options: hf.AutoModel.from_pretrained(plain[0], **options).eval()


def verdict(plain: tuple[Path, WatermarkCard], model: Any) -> Verdict:
    encoder = wrap_module(model, hf.AutoTokenizer.from_pretrained(plain[0]))
    return Authenticator(card=plain[1], trust="local").authenticate(encoder).verdict


def _ring(load: Load) -> Any:
    """Two models, each of which is moved away before the other one runs."""
    first, moved = cpu_offload_with_hook(load(), "cpu")
    second, other = cpu_offload_with_hook(load(), "cpu", moved)
    first._hf_hook.prev_module_hook = other
    return second


# what is loaded in which way, and what the verdict names
IN_MEMORY: dict[str, tuple[Callable[[Load], Any], tuple[str, ...]]] = {
    "device_map auto": (lambda load: load(device_map="auto"), ()),
    "device_map of all": (lambda load: load(device_map={"": "cpu"}), ()),
    "device_map of parts": (lambda load: load(device_map=PARTS), ()),
    "hooks on all parts": (
        lambda load: dispatch_model(load(), PARTS, main_device="cpu", force_hooks=True),
        MOVED,
    ),
    "moved as a whole": (lambda load: cpu_offload_with_hook(load(), "cpu")[0], MOVED),
    "moved after another": (
        lambda load: cpu_offload_with_hook(load(), "cpu", cpu_offload_with_hook(load(), "cpu")[1])[0],
        MOVED,
    ),
    "moved in a ring": (_ring, MOVED),
}

OFFLOADED: dict[str, Callable[[Load, str], Any]] = {
    "device_map, all on disk": lambda load, to: load(device_map={"": "disk"}, offload_folder=to),
    "device_map, one layer on disk": lambda load, to: load(device_map=ONE_ON_DISK, offload_folder=to),
    "dispatched, one layer on disk": lambda load, to: dispatch_model(
        load(), ONE_ON_DISK, main_device="cpu", offload_dir=to, force_hooks=True
    ),
    "disk_offload": lambda load, to: disk_offload(load(), to, execution_device="cpu"),
    "cpu_offload": lambda load, _: cpu_offload(load(), execution_device="cpu"),
}


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_what_is_in_memory_is_checked_whole(kind: str, plain: tuple[Path, WatermarkCard], load: Load) -> None:
    spread, named = IN_MEMORY[kind]
    model = spread(load)
    found = verdict(plain, model)
    assert (found.status, found.process) == ("authentic", named), found.reason
    assert found.tensors.checked == len(plain[1].digests["stored"])
    for name in ALTERED:
        weight = model.get_parameter(name)
        honest = weight.detach().clone()
        with torch.no_grad():
            weight.view(-1)[-1] += 0.5
        altered = verdict(plain, model)
        assert (altered.status, altered.tensors.changed) == ("altered", (name,))
        with torch.no_grad():
            weight.copy_(honest)


@pytest.mark.parametrize("kind", OFFLOADED)
def test_what_is_offloaded_is_refused_with_what_to_do(
    kind: str, plain: tuple[Path, WatermarkCard], load: Load, tmp_path: Path
) -> None:
    model = OFFLOADED[kind](load, str(tmp_path / "offloaded"))
    with pytest.raises(EncoderError, match="tensors hold no values") as refused:
        verdict(plain, model)
    assert "\n" not in str(refused.value)
    assert "check its folder, which needs little memory, or load the whole model into memory" in str(
        refused.value
    )


@pytest.mark.parametrize("kind", [*IN_MEMORY, "mixed precision"])
def test_a_head_is_run_as_well(kind: str, classifier: tuple[Path, WatermarkCard]) -> None:
    def load(**options: Any) -> Any:
        return hf.AutoModelForSequenceClassification.from_pretrained(classifier[0], **options).eval()

    if kind == "mixed precision":
        try:
            spread = Accelerator(mixed_precision="bf16", cpu=True).prepare(load())
            assert verdict(classifier, spread).status == "inconclusive"
        finally:
            AcceleratorState._reset_state(reset_partial_state=True)  # the whole process would keep it
        return
    make, named = IN_MEMORY[kind]
    if "parts" in kind:
        pytest.skip("these are the parts of a model without a head")
    found = verdict(classifier, make(load))
    assert "head" in [strip.name for strip in found.strips]
    assert (found.status, found.process) == ("authentic", named), found.reason


def _instead(part: Any) -> AlignDevicesHook:
    """A hook that computes with another table than the one that is there to be read."""
    honest = part.weight.detach().clone()
    other = honest.clone()
    other[-1] += 1
    hook = AlignDevicesHook("cpu", offload=True, weights_map={"weight": other})
    add_hook_to_module(part, hook)
    part.weight = torch.nn.Parameter(honest)
    return hook


def _put(part: Any, hook: Any, inner: Any = None) -> None:
    """A hook of accelerate of which one function is another's."""
    add_hook_to_module(part, hook)
    (hook if inner is None else inner).pre_forward = lambda _module, *given, **named: (given, named)


def _in_sequence(part: Any) -> None:
    inner = AlignDevicesHook("cpu")
    _put(part, SequentialHook(inner), inner)


def _after_another(part: Any) -> None:
    other, before = cpu_offload_with_hook(torch.nn.Linear(1, 1), "cpu")
    before.offload = lambda: None
    add_hook_to_module(part, CpuOffload("cpu", before))
    assert other is not None


def _of_another(part: Any) -> None:
    add_hook_to_module(part, AlignDevicesHook("cpu"))
    held = vars(part)["forward"]
    other = copy.deepcopy(part)
    remove_hook_from_module(other)
    add_hook_to_module(other, AlignDevicesHook("cpu"))
    part.forward = type(held)(held.func, other)


class Fetched:
    """No model at all: what accelerate calls of it runs code."""

    def parameters(self) -> Any:
        return iter([torch.zeros(1)])

    def to(self, _device: Any) -> "Fetched":
        return self


def _after_no_model(part: Any) -> None:
    add_hook_to_module(part, CpuOffload("cpu", UserCpuOffloadHook(Fetched(), CpuOffload("cpu"))))


def _after_one_with_code(part: Any) -> None:
    other = torch.nn.Linear(1, 1)
    other.to = lambda *_: other  # type: ignore[method-assign]
    add_hook_to_module(part, CpuOffload("cpu", UserCpuOffloadHook(other, CpuOffload("cpu"))))


HOSTILE: dict[str, Callable[[Any], Any]] = {
    "weights of its own": _instead,
    "a patched hook": lambda part: _put(part, AlignDevicesHook("cpu")),
    "a patched hook of the whole": lambda part: _put(part, CpuOffload("cpu")),
    "a patched hook among others": _in_sequence,
    "a patched hook of another model": _after_another,
    "the forward of another module": _of_another,
    "what is no model, before": _after_no_model,
    "a model with code, before": _after_one_with_code,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hook_that_could_compute_something_else_is_no_pass(
    kind: str, plain: tuple[Path, WatermarkCard], load: Load
) -> None:
    model = load()
    HOSTILE[kind](model.embeddings.word_embeddings)
    found = verdict(plain, model)
    assert found.status == "inconclusive"
    assert any(" on embeddings.word_embeddings" in line for line in found.process if line not in MOVED)


def _caller(_: Any) -> Any:
    return lambda *_arguments, **_named: None


def _closure() -> Any:
    """A function of the standard library that calls one of nobody's, and does not say so."""
    function = contextlib.contextmanager(_caller(None))
    del function.__wrapped__  # type: ignore[attr-defined]
    return function


def test_a_function_that_holds_itself_is_looked_at_once(load: Load) -> None:
    model, cell = load(), types.CellType()
    code = contextlib.contextmanager(_caller(None)).__code__
    model.to = cell.cell_contents = types.FunctionType(code, vars(contextlib), "to", None, (cell,))
    assert code_found(model) == ()


# ways to bring code of one's own
BRINGING: dict[str, Callable[[], Any]] = {
    "function": lambda: _caller(None),
    "object": type("Called", (), {"__call__": lambda *_: None}),
    "partial": lambda: functools.partial(map, _caller(None)),
    "cache": lambda: functools.lru_cache(_caller(None)),
    "closure": _closure,
}


@pytest.mark.parametrize("bringing", BRINGING)
@pytest.mark.parametrize("name", sorted(name for name in _NOT_COMPUTING if hasattr(torch.nn.Module, name)))
def test_a_replaced_function_that_accelerate_may_call_is_no_pass(
    name: str, bringing: str, plain: tuple[Path, WatermarkCard], load: Load
) -> None:
    model = cpu_offload_with_hook(load(), "cpu")[0]
    setattr(model, name, BRINGING[bringing]())
    assert any(found.remedy and name in found.what for found in code_found(model))


def test_a_patched_class_of_hooks_is_no_pass(
    plain: tuple[Path, WatermarkCard], load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = dispatch_model(load(), PARTS, main_device="cpu", force_hooks=True)
    monkeypatch.setattr(
        AlignDevicesHook, "pre_forward", lambda _hook, _module, *given, **named: (given, named)
    )
    found = verdict(plain, model)
    assert found.status == "inconclusive"
    assert "patched pre_forward of AlignDevicesHook" in found.process
