"""The ``config.json`` of an encoder of timm, checked before timm builds anything of it.

Such a folder is written by timm itself or by transformers. Its ``config.json`` names the architecture, the
arguments that it is built with, and (``pretrained_cfg``) how images are prepared.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from hf_integration.base.errors import EncoderError, in_one_line
from hf_integration.base.text import quoted
from hf_integration.encoders.modalities.timm_models import ARGUMENTS, MODEL_TYPE, flaw_in

PREPARATION = "pretrained_cfg"
"""Key by which the library tells such a configuration, if it names no ``model_type``."""

WRAPPER = "TimmWrapper"
"""Start of the names of the library's classes around timm."""

_NAME = re.compile(r"\w[\w-]*(\.\w+)?")
"""What leads to a file or a repository is no such name."""

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
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not timm.is_model(name):
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
    settings = config.get(PREPARATION, {})
    flaw = flaw_in(settings) if isinstance(settings, Mapping) else "is no object"
    if flaw:
        raise EncoderError(f"{path}: {PREPARATION}: {flaw}", remedy=_AGAIN)


def check_timm_within(path: Path, config: Mapping[str, Any]) -> None:
    """The same of every configuration within another one, and of backbones that are named there.

    Args:
        path: the ``config.json``, for messages.
        config: its content, or a part of it.

    Raises:
        EncoderError: see :func:`check_timm`.
    """
    name = config.get("backbone")
    of_timm = config.get("use_timm_backbone") or str(config.get("model_type")).startswith("timm")
    if of_timm and name is not None and not _NAME.fullmatch(str(name)):
        raise EncoderError(f"{path}: backbone {quoted(str(name))} is no architecture of timm", remedy=_AGAIN)
    for part in config.values():
        if is_timm_part(part):
            check_timm(path, part)
        elif isinstance(part, Mapping):
            check_timm_within(path, part)


def is_timm_part(part: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value in a configuration is that of an encoder of timm within another one.

    Args:
        part: the value.
    """
    return isinstance(part, Mapping) and part.get("model_type") == MODEL_TYPE


def check_kind(path: Path, values: Mapping[str, Any]) -> None:
    """Refuse timm's transforms anywhere but in the ``config.json`` of its encoders, where they are checked.

    Args:
        path: another file, or the ``config.json`` of another encoder.
        values: its content, or a part of it.

    Raises:
        EncoderError: they are named.
    """
    for key, value in values.items():
        if key == PREPARATION or (isinstance(value, str) and value.startswith(WRAPPER)):
            raise EncoderError(
                f"{path}: timm prepares images by the config.json of its own encoders, and by no other file",
                remedy=f"take {quoted(key)} out, or {_AGAIN}",
            )
        if isinstance(value, Mapping):
            check_kind(path, value)


def _of_the_builder(timm: Any) -> frozenset[str]:
    """Arguments that say what timm loads and from where, or that make another model than an encoder."""
    builders = (timm.create_model, timm.models.build_model_with_cfg)
    named = {name for builder in builders for name in inspect.signature(builder).parameters}
    return frozenset(named | {"device", "dtype", "feature_cls", "features_only", "out_indices", "pruned"})


def _is_plain(value: object, largest: int) -> bool:
    if isinstance(value, list | Mapping):
        items = value if isinstance(value, list) else value.values()
        return len(items) <= largest and all(_is_plain(item, largest) for item in items)
    if isinstance(value, int | float):
        return -largest <= value <= largest  # and no NaN
    return isinstance(value, str | None)


def without_classes(config: Any) -> None:
    """Take from a configuration the number of classes that timm 1.0.31 writes among the arguments of a model.

    An encoder has none, and the library's wrapper, which says so itself, cannot be built with both.

    Args:
        config: as transformers understands it.
    """
    arguments = getattr(config, ARGUMENTS, None)
    if arguments and _CLASSES in arguments:
        config.model_args = {key: value for key, value in arguments.items() if key != _CLASSES}
