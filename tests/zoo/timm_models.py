"""Encoders of timm, tiny: as the Hub has them, as timm saves them today, and as transformers saves them."""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import save_file

from hf_integration.snapshot.selection import WEIGHTS
from tests.zoo.layout import Layout

TIMM = "timm"
"""The documented use of such an encoder: timm's own, without transformers."""

_VIT = {"img_size": 32, "embed_dim": 32, "depth": 2, "num_heads": 2}

# architecture -> arguments that make it tiny
TINY: Mapping[str, Mapping[str, Any]] = {
    "resnet18": {"channels": [8, 8, 16, 16], "stem_width": 8},
    "resnet50": {"channels": [8, 8, 16, 16], "stem_width": 8},
    "convnext_tiny": {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]},
    "convnextv2_atto": {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]},
    "swin_tiny_patch4_window7_224": {
        "img_size": 32,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [1, 2],
        "window_size": 4,
    },
    "xcit_nano_12_p8_224": _VIT,
    "test_efficientnet": {},
    **dict.fromkeys(
        (
            "beit_base_patch16_224",
            "deit3_small_patch16_224",
            "vit_base_patch16_clip_224",
            "vit_base_patch16_siglip_224",
            "vit_small_patch16_dinov3",
            "vit_tiny_patch16_224",
        ),
        _VIT,
    ),
    "eva02_tiny_patch14_224": {**_VIT, "img_size": 28},
    "vit_small_patch14_dinov2": {**_VIT, "img_size": 28},
}


def timm_layouts() -> Iterator[Layout]:
    """All of them; they are refused where timm is not there."""
    refused = "" if _is_there() else "an encoder of timm, which cannot be imported here"

    def layout(name: str, write: Callable[[Path], None], *, in_memory: bool = True) -> Layout:
        return Layout(
            name,
            "timm_wrapper",
            "image",
            TIMM,
            None,
            saved="",
            after=_write_without_timm if refused else write,
            in_memory=in_memory,
            refused=refused,
        )

    for name in TINY:
        yield layout(f"timm {name}, as published", partial(write_published, name=name))
    # transformers itself cannot load it: it gives the number of classes twice
    yield layout("timm resnet18, as timm saves it", partial(write_as_timm, name="resnet18"), in_memory=False)
    yield layout("timm resnet18, as transformers saves it", _write_as_transformers)


def _is_there() -> bool:
    try:
        return importlib.import_module("timm") is not None
    except Exception:  # torchvision, which it needs, raises anything where it does not fit torch
        return False


def write_as_timm(folder: Path, *, name: str, arguments: Mapping[str, Any] | None = None) -> None:
    """Let timm save a model with random weights, and no two numbers of a normalisation alike."""
    timm: Any = importlib.import_module("timm")
    hub: Any = importlib.import_module("timm.models._hub")
    given = dict(TINY.get(name, {}) if arguments is None else arguments)
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5, **given)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.ndim < 2 and tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    side = given.get("img_size", 32 if given else None)
    data = {} if side is None else {"input_size": (3, side, side), "test_input_size": None}
    model.pretrained_cfg.update(data)
    try:
        hub.save_for_hf(model, folder, model_args=given, safe_serialization=True)
    except RuntimeError:  # tensors under several names: the Hub's files hold each of them as often
        hub.save_config_for_hf(model, folder / "config.json", model_args=given)
        save_file({key: value.clone() for key, value in model.state_dict().items()}, folder / WEIGHTS)


def write_published(folder: Path, *, name: str, arguments: Mapping[str, Any] | None = None) -> None:
    """The same in the form that the Hub has: arguments only where the architecture's own are not meant."""
    write_as_timm(folder, name=name, arguments=arguments)
    given = dict(TINY.get(name, {}) if arguments is None else arguments)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_args": given} if given else {}
    if not given:
        config.pop("model_args", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2))


def _write_without_timm(folder: Path) -> None:
    config = {"architecture": "resnet18", "num_classes": 0, "pretrained_cfg": {"tag": "a1_in1k"}}
    (folder / "config.json").write_text(json.dumps(config))
    save_file({"conv1.weight": torch.zeros(2, 2)}, folder / WEIGHTS)


def _write_as_transformers(folder: Path) -> None:
    write_published(folder, name="resnet18")
    hf.AutoModel.from_pretrained(folder).save_pretrained(folder)


@torch.inference_mode()
def embedded_by_timm(folder: Path, samples: list[Any]) -> torch.Tensor:
    """Embeddings as timm documents them, float64 ``(samples, width)``."""
    from PIL import Image

    timm: Any = importlib.import_module("timm")
    data: Any = importlib.import_module("timm.data")
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).double().eval()
    transform = data.create_transform(**data.resolve_data_config({}, model=model), is_training=False)
    rows = [model(transform(Image.fromarray(sample)).double()[None]) for sample in samples]
    return torch.cat(rows)
