"""The ``config.json`` of an encoder of timm, checked before timm builds anything of it.

Such a folder is written by timm itself or by transformers. Its ``config.json`` names the architecture, the
arguments that it is built with, and (``pretrained_cfg``) how images are prepared.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError, in_one_line
from hf_integration.base.text import quoted
from hf_integration.encoders.modalities.timm_models import ARGUMENTS, LARGEST_SIDE, MODEL_TYPE

PREPARATION = "pretrained_cfg"
"""Key by which the library tells such a configuration, if it names no ``model_type``."""

_CLASSES = "num_classes"
_AGAIN = "get the file again from its publisher"

LARGEST_ARGUMENT = 1 << 16
"""A width, a depth or a side; models are built by loops and lists of such lengths."""

LARGEST_MULTIPLIER = 64
"""Times that an architecture is made wider or deeper."""


def is_timm(config: Mapping[str, Any]) -> bool:
    """Whether a ``config.json`` is of such an encoder.

    Args:
        config: its content.
    """
    return config.get("model_type", MODEL_TYPE) == MODEL_TYPE and (
        "model_type" in config or PREPARATION in config
    )


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
    arguments = config.get(ARGUMENTS)
    if not isinstance(arguments, Mapping | None):
        raise EncoderError(f"{path}: {ARGUMENTS} is no object", remedy=_AGAIN)
    of_the_builder = _of_the_builder(timm)
    for key, value in (arguments or {}).items():
        if key in of_the_builder or key.startswith("pretrained") or not key.isidentifier():
            problem = "is no setting of an architecture"
        elif not _is_plain(value, LARGEST_MULTIPLIER if "multiplier" in key else LARGEST_ARGUMENT):
            problem = "is set to what no architecture has"
        else:
            continue
        raise EncoderError(
            f"{path}: {ARGUMENTS}: {quoted(key)} {problem}", remedy="save the encoder without it"
        )
    if PREPARATION in config:
        _check_preparation(path, config[PREPARATION])


def _of_the_builder(timm: Any) -> frozenset[str]:
    """Arguments that say what timm loads and from where, or that make another model than an encoder."""
    builders = (timm.create_model, timm.models.build_model_with_cfg)
    named = {name for builder in builders for name in inspect.signature(builder).parameters}
    return frozenset(named | {"features_only", "out_indices"})


def _is_plain(value: object, largest: int) -> bool:
    if isinstance(value, list | Mapping):
        items = value if isinstance(value, list) else value.values()
        return len(items) <= largest and all(_is_plain(item, largest) for item in items)
    if isinstance(value, int | float):
        return -largest <= value <= largest  # and no NaN
    return isinstance(value, str | None)


def _check_preparation(path: Path, settings: object) -> None:
    """Refuse settings that enlarge an image to more pixels than any encoder takes, or draw at random.

    Raises:
        EncoderError: they do.
    """
    if not isinstance(settings, Mapping):
        raise EncoderError(f"{path}: {PREPARATION} is no object", remedy=_AGAIN)
    crop = settings.get("crop_pct") or 1.0
    if not isinstance(crop, int | float) or not 0 < crop < float("inf"):
        raise EncoderError(f"{path}: {PREPARATION}: crop_pct is no share of an image", remedy=_AGAIN)
    most = LARGEST_SIDE * min(crop, 1.0)
    for key in ("input_size", "img_size", "in_chans", "chans"):
        value = settings.get(key)
        sides = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(side, int | float) and 0 < side <= most for side in sides):
            raise EncoderError(
                f"{path}: {PREPARATION}: {key} and crop_pct make larger images than any encoder takes",
                remedy=_AGAIN,
            )
    if settings.get("interpolation") == "random":
        raise EncoderError(f"{path}: {PREPARATION}: interpolation is drawn at random", remedy=_AGAIN)


def without_classes(config: Any) -> None:
    """Take from a configuration the number of classes that timm 1.0.31 writes among the arguments of a model.

    An encoder has none, and the library's wrapper, which says so itself, cannot be built with both.

    Args:
        config: as transformers understands it.
    """
    arguments = getattr(config, ARGUMENTS, None)
    if arguments and _CLASSES in arguments:
        config.model_args = {key: value for key, value in arguments.items() if key != _CLASSES}
