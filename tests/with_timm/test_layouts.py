"""Encoders of timm from minting to the last altered setting, in memory, and by the command.

``SSLAUTH_TIMM=all`` takes all layouts, otherwise one.
"""

import copy
import functools
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard, load_encoder
from hf_integration.authentication import Authenticator
from hf_integration.base.errors import EncoderError
from hf_integration.encoders import wrap_module
from hf_integration.verdict import Verdict
from tests.tiny_cards import mint_quickly
from tests.with_timm import timm_or_skip
from tests.zoo.checking import check
from tests.zoo.documented import in_memory
from tests.zoo.timm_models import timm_layouts

timm = timm_or_skip()

LAYOUTS = {layout.name: layout for layout in timm_layouts()}
PUBLISHED = LAYOUTS["timm vit_tiny_patch16_224, as published"]


WHOLE = LAYOUTS if os.environ.get("SSLAUTH_TIMM") == "all" else [PUBLISHED.name]


@pytest.mark.parametrize("name", WHOLE)
def test_a_layout_works_from_minting_to_the_last_altered_setting(name: str) -> None:
    outcome = check(LAYOUTS[name])
    assert outcome.state == "works", outcome.said
    assert "altered" in outcome.said


@pytest.mark.parametrize("name", [name for name in LAYOUTS if "saves it" in name])
def test_it_works_whoever_saved_it(name: str) -> None:
    outcome = check(LAYOUTS[name], edits=False)
    assert outcome.state == "works", outcome.said


@pytest.fixture(scope="module")
def minted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatermarkCard]:
    root = tmp_path_factory.mktemp("timm")
    PUBLISHED.write(root / "encoder")
    _, card = mint_quickly(root / "encoder", root / "card", modality="image")
    return root, card


def test_a_verdict_says_which_timm_it_was_run_by(minted: tuple[Path, WatermarkCard]) -> None:
    root, card = minted
    assert card.libraries["timm"] == timm.__version__
    assert _verdict(card, in_memory(PUBLISHED, root / "encoder")).environment["timm"] == timm.__version__


def _verdict(card: WatermarkCard, held: tuple[Any, Any]) -> Verdict:
    return Authenticator(card=card, trust="local").authenticate(wrap_module(*held)).verdict


def _another_mean(_model: Any, processor: Any) -> None:
    processor.val_transforms.transforms[-1].mean += 1e-3


def _no_resize(_model: Any, processor: Any) -> None:
    del processor.val_transforms.transforms[0]


def _a_function_more(_model: Any, processor: Any) -> None:
    processor.val_transforms.transforms.insert(0, lambda image: image)


def _another_call(_model: Any, processor: Any) -> None:
    processor.val_transforms = lambda _image: torch.zeros(3, 32, 32)


def _a_little_of_the_mean(_model: Any, processor: Any) -> None:
    processor.val_transforms.transforms[-1].mean += 1e-6


def _a_limit_that_few_images_reach(_model: Any, processor: Any) -> None:
    processor.val_transforms.transforms[0].max_size = 300


def _what_looks_like_it(_model: Any, processor: Any) -> None:
    steps = processor.val_transforms.transforms
    other = functools.partial(type(processor.val_transforms)([*steps, torch.nn.Identity()]))
    other.transforms = steps  # type: ignore[attr-defined]
    processor.val_transforms = other


def _applied_at_random(_model: Any, processor: Any) -> None:
    kind = importlib.import_module("torchvision.transforms").RandomApply
    processor.val_transforms = kind(processor.val_transforms.transforms, p=1.0)


def _settings_that_make_nothing(_model: Any, processor: Any) -> None:
    processor.data_config = {**processor.data_config, "is_training": True}


def _one_weight(model: Any, _processor: Any) -> None:
    model.timm_model.blocks[0].mlp.fc1.weight.data[0, 0] += 1e-3


def _a_hook(model: Any, _processor: Any) -> None:
    model.timm_model.blocks[0].register_forward_hook(lambda _module, _given, made: made)


def _another_pooling(model: Any, _processor: Any) -> None:
    model.timm_model.global_pool = "avg"


def _a_patched_head(model: Any, _processor: Any) -> None:
    model.timm_model.forward_head = lambda states, **_: states[:, 0]


ALTERATIONS: dict[Callable[[Any, Any], None], str] = {
    _another_mean: "altered",
    _no_resize: "altered",
    _a_function_more: "altered",
    _another_call: "altered",
    _a_little_of_the_mean: "altered",
    _a_limit_that_few_images_reach: "altered",
    _what_looks_like_it: "altered",
    _applied_at_random: "altered",
    _settings_that_make_nothing: "altered",
    _one_weight: "altered",
    _a_hook: "inconclusive",
    _another_pooling: "inconclusive",
    _a_patched_head: "inconclusive",
}


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
def test_what_was_changed_in_memory_is_found(
    alter: Callable[[Any, Any], None], minted: tuple[Path, WatermarkCard]
) -> None:
    root, card = minted
    model, processor = copy.deepcopy(in_memory(PUBLISHED, root / "encoder"))
    assert _verdict(card, (model, processor)).status == "authentic"
    alter(model, processor)
    assert _verdict(card, (model, processor)).status == ALTERATIONS[alter]


@pytest.mark.parametrize("settings", [None, {}, {"foo": 1}, {"input_size": (3, 10**6, 10**6)}], ids=repr)
def test_a_processor_without_a_size_is_refused(settings: Any, minted: tuple[Path, WatermarkCard]) -> None:
    root, _ = minted
    model, processor = in_memory(PUBLISHED, root / "encoder")
    processor.data_config = settings
    with pytest.raises(EncoderError, match=r"have no size|make larger images"):
        wrap_module(model, processor)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torchvision.transforms.functional", "resize"),
        ("torchvision.transforms.functional", "normalize"),
        ("torchvision.transforms._functional_pil", "resize"),
        ("torchvision.transforms.v2.functional", "resize"),
        ("timm.data.transforms", "MaybeToTensor.__call__"),
        ("transformers.image_transforms", "to_pil_image"),
        ("PIL.Image", "fromarray"),
        ("PIL.Image", "Image.resize"),
    ],
)
def test_a_function_that_prepares_images_may_not_be_replaced(
    module: str, name: str, minted: tuple[Path, WatermarkCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, card = minted
    held = in_memory(PUBLISHED, root / "encoder")
    owner: Any = importlib.import_module(module)
    *classes, last = name.split(".")
    for part in classes:
        owner = getattr(owner, part)
    genuine = getattr(owner, last)

    def another(*given: Any, **named: Any) -> Any:
        return genuine(*given, **named)

    monkeypatch.setattr(owner, last, another)
    verdict = _verdict(card, held)
    assert verdict.status == "inconclusive"
    assert f"patched {last} of" in verdict.reason


def test_a_card_of_what_was_published_is_good_for_what_transformers_saves_of_it(tmp_path: Path) -> None:
    for name in ("published", "transformers"):
        (layout,) = (layout for layout in LAYOUTS.values() if f"resnet18, as {name}" in layout.name)
        layout.write(tmp_path / name)
    _, card = mint_quickly(tmp_path / "published", tmp_path / "card", modality="image")
    again = load_encoder(str(tmp_path / "transformers"), device="cpu")
    verdict = Authenticator(card=card, trust="local", precision="float32").authenticate(again).verdict
    assert verdict.status == "authentic", verdict.reason


def test_a_model_of_timm_itself_is_refused_and_the_way_is_told(minted: tuple[Path, WatermarkCard]) -> None:
    root, _ = minted
    _, processor = in_memory(PUBLISHED, root / "encoder")
    with pytest.raises(EncoderError, match="AutoModel loads the folders of timm"):
        wrap_module(timm.create_model(f"local-dir:{root / 'encoder'}", pretrained=True), processor)
    import transformers as hf

    classifier = hf.AutoModelForImageClassification.from_pretrained(root / "encoder")
    with pytest.raises(EncoderError, match="load it by AutoModel"):
        wrap_module(classifier, processor)


def test_the_command_tells_an_altered_folder_from_the_published_one(
    minted: tuple[Path, WatermarkCard], tmp_path: Path
) -> None:
    root, _ = minted
    command = [
        sys.executable,
        "-m",
        "hf_integration.cli",
        "verify",
        "--format",
        "json",
        "--card",
        str(root / "card"),
    ]
    ended = subprocess.run([*command, str(root / "encoder")], capture_output=True, text=True, check=False)
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (0, "authentic"), ended.stderr
    altered = tmp_path / "encoder"
    PUBLISHED.write(altered)
    weights = load_file(altered / "model.safetensors")
    weights["blocks.0.mlp.fc1.weight"][0, 0] += 1e-3
    save_file(weights, altered / "model.safetensors")
    ended = subprocess.run([*command, str(altered)], capture_output=True, text=True, check=False)
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (1, "altered"), ended.stderr
