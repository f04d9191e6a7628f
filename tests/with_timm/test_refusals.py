"""A configuration may name an architecture of timm and its arguments, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from hf_integration import load_encoder
from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.timm_configuration import check_timm_within
from tests.with_timm import timm_or_skip
from tests.zoo.timm_models import write_published

timm = timm_or_skip()

ARCHITECTURES = (
    "hf-hub:timm/resnet18",
    "hf_hub:timm/resnet18",
    "local-dir:.",
    "resnet18.hf-hub:timm/resnet18",
    "../resnet18",
    "resnet18/../../x",
    "file:///etc/passwd",
    "no_such_model",
    "resnet18\x1b[2J",
    "",
    None,
    5,
    ["resnet18"],
)

ARGUMENTS: tuple[Any, ...] = (
    {"checkpoint_path": "/etc/passwd"},
    {"pretrained": True},
    {"pretrained_cfg": {"file": "/etc/passwd"}},
    {"pretrained_cfg_overlay": {"url": "http://127.0.0.1:9"}},
    {"pretrained_strict": False},
    {"cache_dir": "cache"},
    {"features_only": True},
    {"out_indices": [1]},
    {"scriptable": True},
    {"exportable": True},
    {"model_name": "resnet34"},
    {"depth": 1 << 24},
    {"channels": [1 << 24, 1, 1, 1]},
    {"depth_multiplier": 1e9},
    {"channel_multiplier": 100},
    {"mlp_ratio": float("nan")},
    {"mlp_ratio": float("inf")},
    {"embed_dim": [[1 << 20]]},
    {"img_size": {"a": 1 << 20}},
    {"act_layer\x1b[2J": "gelu"},
    {"": 1},
    ["checkpoint_path"],
    "checkpoint_path",
)

SIZES: tuple[dict[str, Any], ...] = (
    {"input_size": [3, 1_000_000, 1_000_000]},
    {"input_size": [3, 32, 32], "crop_pct": 1e-9},
    {"input_size": [3, 32, "32"]},
    {"input_size": 1_000_000},
    {"input_size": [3, -32, -32]},
    {"img_size": 1_000_000},
    {"in_chans": 1 << 26, "mean": [0.5]},
    {"chans": 1 << 26, "mean": [0.5]},
)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timm") / "resnet18"
    write_published(folder, name="resnet18")
    return folder


def _refusal(folder: Path, **changes: Any) -> str:
    file = folder / "config.json"
    before = file.read_text()
    try:
        file.write_text(json.dumps({**json.loads(before), **changes}))
        with pytest.raises(EncoderError) as refused:
            load_encoder(str(folder), device="cpu")
    finally:
        file.write_text(before)
    said = str(refused.value)
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1
    return said


def test_as_it_was_published_it_loads(resnet: Path) -> None:
    assert load_encoder(str(resnet), device="cpu").description.embedding_dim == 16


@pytest.mark.parametrize("name", ARCHITECTURES, ids=repr)
def test_an_architecture_is_a_name_that_timm_has(resnet: Path, name: object) -> None:
    assert "has no architecture" in _refusal(resnet, architecture=name)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=repr)
def test_arguments_are_those_of_an_architecture(resnet: Path, arguments: object) -> None:
    assert "model_args" in _refusal(resnet, model_args=arguments)


def test_every_argument_of_timm_that_is_none_of_an_architecture_is_refused(resnet: Path) -> None:
    import inspect

    names = {
        name
        for called in (timm.create_model, timm.models.build_model_with_cfg)
        for name, parameter in inspect.signature(called).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert {"checkpoint_path", "pretrained_cfg", "feature_cfg", "model_cls"} <= names
    for name in sorted(names):
        assert "model_args" in _refusal(resnet, model_args={name: None}), name


@pytest.mark.parametrize("settings", SIZES, ids=repr)
def test_no_image_is_enlarged_beyond_what_encoders_take(resnet: Path, settings: dict[str, Any]) -> None:
    assert "make larger images than any encoder takes" in _refusal(resnet, pretrained_cfg=settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"input_size": [3, 32, 32], "crop_pct": float("nan")}, "crop_pct is no share"),
        ({"input_size": [3, 32, 32], "crop_pct": "all"}, "crop_pct is no share"),
        ({"input_size": [3, 32, 32], "crop_pct": -1.0}, "crop_pct is no share"),
        ({"input_size": [3, 32, 32], "interpolation": "random"}, "drawn at random"),
        (None, "is no object"),
        ([], "is no object"),
        ("", "is no object"),
    ],
    ids=repr,
)
def test_a_preparation_that_cannot_be_is_refused(resnet: Path, settings: object, said: str) -> None:
    assert said in _refusal(resnet, pretrained_cfg=settings)


def test_there_are_no_more_classes_than_any_classifier_has(resnet: Path) -> None:
    assert "num_classes" in _refusal(resnet, num_classes=10**6)


ELSEWHERE: dict[str, tuple[str, dict[str, Any]]] = {
    "by its name": ("preprocessor_config.json", {"image_processor_type": "TimmWrapperImageProcessor"}),
    "by its name within": (
        "processor_config.json",
        {"image_processor": {"image_processor_type": "TimmWrapperImageProcessor"}},
    ),
    "by another name": ("processor_config.json", {"image_processor_type": "TimmWrapperImageProcessorFast"}),
    "by an old name": ("preprocessor_config.json", {"feature_extractor_type": "TimmWrapperFeatureExtractor"}),
    "by its settings alone": (
        "processor_config.json",
        {"image_processor": {"pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": 1e-9}}},
    ),
}


@pytest.mark.parametrize("how", ELSEWHERE)
def test_transforms_are_named_in_no_other_file(resnet: Path, how: str) -> None:
    name, settings = ELSEWHERE[how]
    (resnet / name).write_text(json.dumps(settings))
    try:
        assert "by the config.json of its own encoders" in _refusal(resnet)
    finally:
        (resnet / name).unlink()


@pytest.mark.parametrize(
    "settings",
    [
        {"model_type": "vit"},
        {"model_type": "vit", "pretrained_cfg": None, "image_processor_type": "TimmWrapperImageProcessor"},
        {"model_type": "vit", "vision_config": {"pretrained_cfg": {"input_size": [3, 32, 32]}}},
    ],
    ids=repr,
)
def test_transforms_are_named_by_no_other_encoder(resnet: Path, settings: dict[str, Any]) -> None:
    assert "by the config.json of its own encoders" in _refusal(resnet, **settings)


def test_a_configuration_within_another_is_checked_alike(resnet: Path) -> None:
    parts = {
        "has no architecture": {"model_type": "timm_wrapper", "architecture": "hf-hub:a/b"},
        "is no architecture of timm": {"model_type": "timm_backbone", "backbone": "hf-hub:a/b"},
        "is no architecture": {"use_timm_backbone": True, "backbone": "hf-hub:a/b"},
    }
    for said, part in parts.items():
        with pytest.raises(EncoderError, match=said):
            check_timm_within(resnet / "config.json", {"model_type": "detr", "backbone_config": part})
    check_timm_within(resnet / "config.json", {"backbone": "microsoft/resnet-50", "architecture": "a/b"})


def test_an_encoder_that_pools_nothing_gives_no_embedding(resnet: Path) -> None:
    assert "do_pooling is false" in _refusal(resnet, do_pooling=False)


def test_a_size_that_the_weights_do_not_have_is_refused(resnet: Path) -> None:
    assert "config.json asks for" in _refusal(resnet, model_args={"channels": [4096, 8, 16, 16]})
    changed = {"channels": [8, 8, 16, 32], "stem_width": 8}
    assert "weights of another shape" in _refusal(resnet, model_args=changed)
