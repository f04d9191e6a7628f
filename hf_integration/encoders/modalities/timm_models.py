"""Encoders of timm, which transformers wraps: a configuration that names one of timm's architectures.

Such a folder is written by timm itself or by transformers. Its ``config.json`` names the architecture, the
arguments that it is built with, and (``pretrained_cfg``) how images are prepared.
"""

import importlib
import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError, in_one_line
from hf_integration.base.text import quoted
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.recipes import Recipe, output_named

MODEL_TYPE = "timm_wrapper"

PREPARATION = "pretrained_cfg"
"""Key by which the library tells such a configuration, if it names no ``model_type``."""

_ARGUMENTS, _CLASSES = "model_args", "num_classes"
_AGAIN = "get the file again from its publisher"


def is_timm(config: Mapping[str, Any]) -> bool:
    """Whether a ``config.json`` is of such an encoder.

    Args:
        config: its content.
    """
    model_type = config.get("model_type")
    return model_type == MODEL_TYPE or (model_type is None and PREPARATION in config)


def check_timm(path: Path, config: Mapping[str, Any]) -> None:
    """Check that timm is there, and that it builds what a configuration asks for and does nothing else.

    ``timm.create_model`` takes names of files and of repositories as well as those of architectures, and
    arguments that make it load a checkpoint.

    Args:
        path: the ``config.json``, for messages.
        config: its content.

    Raises:
        EncoderError: timm is not there, or has no such architecture, or builds none with such an argument.
    """
    try:
        timm: Any = importlib.import_module("timm")
    except Exception as error:  # torchvision, which it needs, raises anything where it does not fit torch
        raise EncoderError(
            f"{path}: an encoder of timm, which cannot be imported here: {in_one_line(error)}",
            remedy="pip install timm, and the torchvision that fits the torch that is installed",
        ) from error
    name = config.get("architecture")
    # what leads to a file or a repository is none of these
    if not isinstance(name, str) or not re.fullmatch(r"\w+(\.\w+)?", name) or not timm.is_model(name):
        raise EncoderError(
            f"{path}: timm {timm.__version__} has no architecture {quoted(str(name))}",
            remedy=f"install a newer timm, or {_AGAIN}",
        )
    if config.get("do_pooling") is False:
        raise EncoderError(f"{path}: do_pooling is false: it gives no embedding", remedy="leave it out")
    arguments = config.get(_ARGUMENTS)
    if not isinstance(arguments, Mapping | None):
        raise EncoderError(f"{path}: {_ARGUMENTS} is no object", remedy=_AGAIN)
    of_the_builder = _of_the_builder(timm)
    for key, value in (arguments or {}).items():
        if key in of_the_builder or key.startswith("pretrained") or not _is_plain(value):
            raise EncoderError(
                f"{path}: {_ARGUMENTS}: {quoted(str(key))} is no setting of an architecture",
                remedy="save the encoder without it",
            )
    _check_preparation(path, config.get(PREPARATION))


def _check_preparation(path: Path, settings: object) -> None:
    """Refuse settings that enlarge an image to more pixels than any encoder takes.

    Raises:
        EncoderError: they do.
    """
    if not isinstance(settings, Mapping | None):
        raise EncoderError(f"{path}: {PREPARATION} is no object", remedy=_AGAIN)
    for key in ("input_size", "img_size"):
        value = (settings or {}).get(key)
        sides = value if isinstance(value, list) else [value]
        crop = (settings or {}).get("crop_pct") or 1.0
        numbers = [side for side in (*sides, crop) if side is not None]
        if not all(isinstance(each, int | float) and each > 0 for each in numbers) or (
            numbers[:-1] and max(numbers[:-1]) / crop > LARGEST_SIDE
        ):
            raise EncoderError(
                f"{path}: {PREPARATION}: {key} and crop_pct make images that no encoder takes",
                remedy=_AGAIN,
            )


LARGEST_SIDE = 1 << 12
"""Pixels that an image may be enlarged to before it is cropped; encoders take up to some thousand."""


def _of_the_builder(timm: Any) -> frozenset[str]:
    """Arguments that say what timm loads and from where, or that make another model than an encoder."""
    builders = (timm.create_model, timm.models.build_model_with_cfg)
    named = {name for builder in builders for name in inspect.signature(builder).parameters}
    return frozenset(named | {"features_only", "out_indices"})


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    return isinstance(value, str | int | float | None)


def without_classes(config: Any) -> None:
    """Take from a configuration the number of classes that timm 1.0.31 writes among the arguments of a model.

    An encoder has none, and the library's wrapper, which says so itself, cannot be built with both.

    Args:
        config: as transformers understands it.
    """
    arguments = getattr(config, _ARGUMENTS, None)
    if arguments and _CLASSES in arguments:
        config.model_args = {key: value for key, value in arguments.items() if key != _CLASSES}


def timm_family(config: Any) -> Family:
    """How such an encoder is loaded.

    Args:
        config: as transformers understands it, :func:`without_classes`.
    """
    settings = {_ARGUMENTS: config.model_args} if config.model_args else {}
    return Family("image", "AutoModel", _recipe, one_by_one=True, own_pooling=True, settings=settings)


def _recipe(_config: Any, _pooler: bool) -> Recipe:
    """The pooling of timm itself, whatever the architecture has; its width is what it gives."""
    return Recipe("", 0, output_named("pooler_output"), layer_word="block", first_state=1)


def is_timm_processor(processor: Any) -> bool:
    """Whether an image processor is timm's transforms in the library's wrapping."""
    return type(processor).__name__ == "TimmWrapperImageProcessor"


def side_of(processor: Any) -> int | None:
    """Pixels of the shorter side of the images that such a processor makes."""
    size = getattr(processor, "data_config", {}).get("input_size")
    return min(size[1:]) if isinstance(size, Sequence) and len(size) == 3 else None


def timm_behaviour(processor: Any, settings: Behaviour) -> Behaviour:
    """The settings of such a processor, and its transforms if they are others than these settings make.

    Args:
        processor: an object that somebody may have altered since it was loaded.
        settings: what it says of itself.
    """
    data: Any = importlib.import_module("timm.data")
    made = data.create_transform(**processor.data_config, is_training=False)
    has, would = (
        [str(step) for step in getattr(transforms, "transforms", [transforms])]
        for transforms in (processor.val_transforms, made)
    )
    if has == would:
        return settings
    (file,) = settings.files
    return Behaviour({file: {**settings.get(file), "val_transforms": has}}, settings.defaults)
