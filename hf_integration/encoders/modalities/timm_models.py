"""Encoders of timm, which transformers wraps: the way to an embedding, and the transforms of images."""

import importlib
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from itertools import zip_longest
from types import FunctionType
from typing import Any

from torch import Tensor

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.recipes import Recipe, output_named

MODEL_TYPE, PROCESSOR = "timm_wrapper", "TimmWrapperImageProcessor"

ARGUMENTS = "model_args"
"""Key of the arguments that an architecture is built with."""

LARGEST_SIDE = 1 << 12
"""Pixels that an image may be enlarged to before it is cropped; encoders take up to some thousand."""


def timm_family(config: Any) -> Family:
    """How such an encoder is loaded.

    Args:
        config: as transformers understands it, without a number of classes among the arguments.
    """
    settings = {ARGUMENTS: config.model_args} if config.model_args else {}
    return Family("image", "AutoModel", _recipe, one_by_one=True, own_pooling=True, settings=settings)


def _recipe(_config: Any, _pooler: bool) -> Recipe:
    """The pooling of timm itself, whatever the architecture has; its width is what it gives.

    timm gives its intermediate states by a method of their own, ``forward_intermediates``, which ends in the
    same layers as the one that users call. ``tests/with_timm/test_families.py`` compares what both give.
    """
    return Recipe("", 0, output_named("pooler_output"), layer_word="state", first_state=1)


def is_timm_processor(processor: Any) -> bool:
    """Whether an image processor is timm's transforms in the library's wrapping."""
    return type(processor).__name__ == PROCESSOR


def side_of(processor: Any) -> int | None:
    """Pixels of the shorter side of the images that such a processor makes.

    Raises:
        EncoderError: its settings make what no encoder takes.
    """
    settings = _settings_of(processor)
    flaw, size = flaw_in(settings), settings.get("input_size")
    if flaw or not isinstance(size, list | tuple) or len(size) != 3:
        raise EncoderError(
            f"{type(processor).__name__}: {flaw or 'its images have no size'}",
            remedy="get its settings again from their publisher",
        )
    return int(min(size[1:]))


def flaw_in(settings: Mapping[str, Any]) -> str | None:
    """What is wrong with settings that images are prepared by: they grow beyond all bounds, or at random.

    Args:
        settings: ``pretrained_cfg``, or what the library made of it.
    """
    crop = settings.get("crop_pct") or 1.0
    if not isinstance(crop, int | float) or not 0 < crop < float("inf"):
        return "crop_pct is no share of an image"
    for key in ("input_size", "img_size", "in_chans", "chans"):
        value = settings.get(key)
        sides = value if isinstance(value, list | tuple) else [] if value is None else [value]
        most = LARGEST_SIDE * min(crop, 1.0)
        if not all(isinstance(side, int | float) and 0 < side <= most for side in sides):
            return f"{key} and crop_pct make larger images than any encoder takes"
    return "interpolation is drawn at random" if settings.get("interpolation") == "random" else None


def _settings_of(processor: Any) -> Mapping[str, Any]:
    settings = getattr(processor, "data_config", None)
    return settings if isinstance(settings, Mapping) else {}


def timm_behaviour(processor: Any, settings: Behaviour) -> Behaviour:
    """The settings of such a processor, and its transforms that differ from what these settings make.

    Args:
        processor: an object that somebody may have altered since it was loaded.
        settings: what it says of itself.
    """
    data: Any = importlib.import_module("timm.data")
    has: Any = getattr(processor, "val_transforms", None)
    made: Any = None
    with suppress(Exception):  # settings that no transforms can be made of
        made = data.create_transform(**_settings_of(processor), is_training=False)
    if _content(has) == _content(made):
        return settings
    if type(has) is type(made) and isinstance(has.transforms, list):
        pairs = zip_longest(has.transforms, made.transforms)
        differing = [str(one) for one, other in pairs if _content(one) != _content(other)]
    else:
        differing = [type(has).__name__]
    (file,) = settings.files
    return Behaviour({file: {**settings.get(file), "val_transforms": differing}}, settings.defaults)


def _content(value: Any, deepest: int = 8) -> Any:
    """What an object is and all that it holds: two of one process that prepare alike are equal."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list | tuple):
        return [_content(item, deepest - 1) for item in value] if deepest else len(value)
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Tensor):
        return [name, str(value.dtype), value.tolist()]
    held = value if isinstance(value, Mapping) else getattr(value, "__dict__", None)
    if held is None or not deepest or isinstance(value, type | FunctionType | Enum):
        return [name, str(value)]
    return [name, {str(key): _content(item, deepest - 1) for key, item in held.items()}]
