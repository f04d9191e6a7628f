"""Whether an encoder is of a supported kind, decided by its configuration before any weight is looked for."""

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hf_integration.encoders import loading
from hf_integration.encoders.building import without_numbers
from hf_integration.encoders.families import Family, choose_family, config_of
from hf_integration.encoders.recipe import NEVER_READ, POOLER
from hf_integration.errors import EncoderError
from hf_integration.key_samples.interface import Modality

_MOST_LAYERS = 1024
"""Layers up to which both classes are built, without numbers, to be compared."""


def supported_family(
    model: Path,
    values: Mapping[str, Any],
    modality: Modality | None,
    has_processor: Callable[[Modality], bool],
    preferred: Modality | None = None,
) -> tuple[Any, Family]:
    """The configuration as transformers understands it, and how such an encoder is loaded.

    Args:
        model: folder of the transformers model; only its ``config.json`` has to be there.
        values: what that file holds.
        modality: the caller's choice where there are two towers.
        has_processor: whether a modality's processor is there.
        preferred: see :func:`~hf_integration.encoders.families.choose_family`.

    Raises:
        EncoderError: no encoder of a supported kind.
        UsageError: an unknown modality.
    """
    _check_model_type(model, values)
    config = _configuration(model)
    family = choose_family(
        config, where=str(model), modality=modality, has_processor=has_processor, preferred=preferred
    )
    _check_recipe(model, config, family)
    for name in values.get("architectures") or ():
        _check_class(model, config, family, str(name))
    return config, family


def _check_model_type(model: Path, values: Mapping[str, Any]) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    model_type = values.get("model_type")
    if model_type in CONFIG_MAPPING_NAMES:
        return
    if values.get("auto_map"):
        raise EncoderError(
            f"{model / 'config.json'}: needs code from its repository (auto_map)",
            remedy="only architectures that transformers itself knows are loaded",
        )
    raise EncoderError(
        f"{model / 'config.json'}: unknown model_type {model_type!r}",
        remedy="only architectures that the installed transformers knows are loaded",
    )


def _configuration(model: Path) -> Any:
    from transformers import AutoConfig

    with loading.named_failures(model, "configuration"), loading.silent_transformers():
        return AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=False)


def _check_recipe(model: Path, config: Any, family: Family) -> None:
    try:
        family.recipe(config_of(config, family), True)
    except AttributeError as error:
        raise EncoderError(
            f"{model}: architecture {config.model_type!r} is not supported: its configuration lacks "
            f"{error.name or error}"
        ) from error


def _check_class(model: Path, config: Any, family: Family, name: str) -> None:
    """Refuse a model that lacks what the class needs that would load it: no copy of it is complete enough.

    Whatever cannot be built is passed over: then the weights themselves decide.

    Raises:
        EncoderError: the class that was saved has no such tensors, e.g. an encoder alone for both halves.
    """
    import transformers

    saved = getattr(transformers, name, None)
    loads = _loading_class(config, family)
    layers = [value for key, value in vars(config).items() if "layer" in key and type(value) is int]
    if saved is None or loads is None or saved is loads or max(layers, default=0) > _MOST_LAYERS:
        return
    try:
        with without_numbers(model):
            names, needs = _tensor_names(saved, config), _tensor_names(loads, config)
    except Exception:  # classes of other kinds, or of options that do not fit them
        return
    prefix = f"{loads.base_model_prefix}."  # what the library leaves out or puts before names
    has = {part for full in names for part in (full, full.removeprefix(prefix))}
    optional = re.compile("|".join((*NEVER_READ, POOLER)))
    lacking = sorted(
        full for full in needs if not {full, full.removeprefix(prefix)} & has and not optional.search(full)
    )
    if lacking:
        raise EncoderError(
            f"{model}: {name} is not supported: it has no {lacking[0]}, which a {loads.__name__} needs",
            remedy="give an encoder that transformers' AutoModel loads as a whole",
        )


def tensors_of_class(model: Path, name: str) -> frozenset[str] | None:
    """Names of the tensors that a class of transformers makes for a folder's configuration.

    Args:
        model: folder of the transformers model.
        name: of the class.

    Returns:
        The names, or ``None`` where there is no such class or it cannot be built.
    """
    import transformers

    kind = getattr(transformers, name, None)
    if kind is None:
        return None
    try:
        with without_numbers(model):
            return frozenset(_tensor_names(kind, _configuration(model)))
    except Exception:  # of other classes, or of options that do not fit them
        return None


def _loading_class(config: Any, family: Family) -> Any:
    import transformers

    if family.class_name != "AutoModel":
        return getattr(transformers, family.class_name)
    found = transformers.MODEL_MAPPING.get(type(config), None)
    return found[0] if isinstance(found, tuple) else found


def _tensor_names(kind: Any, config: Any) -> set[str]:
    return set(kind(copy.deepcopy(config)).state_dict())
