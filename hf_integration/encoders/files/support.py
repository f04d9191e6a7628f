"""What is refused before any weights are read: other architectures, other sizes than the files hold."""

import copy
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.files import loading
from hf_integration.encoders.files.loading import named_failures, without_numbers
from hf_integration.encoders.files.timm_configuration import (
    check_kind,
    check_timm,
    check_timm_within,
    is_timm,
    is_timm_part,
    without_classes,
)
from hf_integration.encoders.modalities.families import Family
from hf_integration.encoders.modalities.generic import named_classes
from hf_integration.encoders.modalities.preparing import choose_family, config_of
from hf_integration.encoders.modalities.recipes import NEVER_READ, POOLER

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
        preferred: see :func:`~hf_integration.encoders.modalities.preparing.choose_family`.

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
    for name in named_classes(values.get("architectures")):
        _check_class(model, config, family, name)
    return config, family


def _check_model_type(model: Path, values: Mapping[str, Any]) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if is_timm(values):
        check_timm(model / "config.json", values)
        return
    check_timm_within(model / "config.json", values)
    check_kind(model / "config.json", {key: part for key, part in values.items() if not is_timm_part(part)})
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
        config = AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=False)
    without_classes(config)
    return config


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


MOST_LABELS = 100_000
"""Classes of a head; a configuration makes a name for each of them."""

MOST_LAYERS = 10_000
"""Layers, of which some configurations make a list; the deepest encoders have some hundred."""

ROOM = 1 << 24
"""Scalars that a model may have beyond twice those in its files: a tied table, a pooler, computed buffers."""

LARGEST = 1 << 27
"""A width, a length or a count of anything else."""

MOST_OF_A_PROCESSOR: Mapping[str, int] = {
    # pixels of a side; encoders take up to some thousand
    **dict.fromkeys(("height", "width", "shortest_edge", "longest_edge", "size", "crop_size"), 1 << 12),
    # samples of a window, bands, seconds, samples in a second
    **{"n_fft": 1 << 14, "feature_size": 1 << 10, "chunk_length": 600, "sampling_rate": 400_000},
    # frames, bands, samples of one transform, seconds, samples, patches
    **{"max_length": 1 << 16, "num_mel_bins": 1 << 10, "fft_window_size": 1 << 14, "max_length_s": 600},
    **{"nb_max_samples": 1 << 26, **dict.fromkeys(("max_num_patches", "max_patches"), 1 << 14)},
    **{"size_divisor": 1 << 12, "pad_size_divisor": 1 << 12},
}
"""What a processor makes of one raw sample grows with these."""

MOST_OF_A_TOKENIZER: Mapping[str, int] = {"extra_ids": 1 << 16}
"""Tokens that a tokenizer makes by itself, each with a name."""

LAYERS = re.compile(r"^(?!max_|min_|.*every_n_)(\w+_)?layers$|^n_layer$")
"""Keys of configurations that say how many layers are built: no period, no bound, no number of one layer."""

_NO_SIZE = re.compile(r"theta|_id$|_ids$|token|seed|max_length")
"""Keys whose numbers nothing is built by."""


def check_numbers(where: Path, config: Mapping[str, Any]) -> None:
    """Refuse numbers for which a library would ask for memory while it still builds the configuration.

    Args:
        where: folder, for messages.
        config: content of ``config.json``, or of a part of it.

    Raises:
        EncoderError: a number that no encoder has.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            check_numbers(where, value)
            continue
        numbers = value if isinstance(value, list) else [value]
        largest = max((number for number in numbers if type(number) is int), default=0)
        if largest > _most(key):
            raise EncoderError(
                f"{where}: config.json: {quoted(key)} {largest} is more than any encoder has",
                remedy="use an intact copy of the encoder",
            )


def _most(key: str) -> float:
    if key in ("num_labels", "num_classes"):  # timm's name of the same
        return MOST_LABELS
    if LAYERS.search(key):
        return MOST_LAYERS
    if key == "spec_size":  # bands and frames that a spectrogram is enlarged to (CLAP)
        return MOST_OF_A_PROCESSOR["size"]
    return math.inf if _NO_SIZE.search(key) else LARGEST


def check_processor(
    path: Path, values: Mapping[str, Any], most: Mapping[str, int] = MOST_OF_A_PROCESSOR
) -> None:
    """Refuse a processor that makes more of a raw sample than any encoder takes.

    Args:
        path: its settings, for messages.
        values: what they are, or a part of them.
        most: the largest numbers that there are, by key.

    Raises:
        EncoderError: it does.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            check_processor(path, value, most)
        numbers = value if isinstance(value, list) else [value]
        largest = max((number for number in numbers if isinstance(number, int | float)), default=0)
        if largest > most.get(key, math.inf):
            raise EncoderError(
                f"{path}: {quoted(key)} {largest} is more than any encoder takes",
                remedy="use an intact copy of the encoder",
            )


def check_size(where: Path, config: Any, part: Any, class_name: str, scalars: int) -> None:
    """Refuse a configuration whose model would be much larger than what the weight files hold.

    The model is built without memory for its tensors.

    Args:
        where: folder, for messages.
        config: a transformers configuration.
        part: of it, where the class loads one of several towers.
        class_name: class of transformers that loads the encoder.
        scalars: numbers in the weight files.

    Raises:
        EncoderError: it would be, or cannot be built.
    """
    import transformers

    kind: Any = getattr(transformers, class_name)
    own = getattr(kind, "config_class", None)
    with named_failures(where, "model"), without_numbers(where):
        if own is None:
            module = kind.from_config(config)
        else:
            module = kind(config if isinstance(config, own) else part)
    tensors = {name: tensor.numel() for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    needed = sum(tensors.values())
    if needed > 2 * scalars + ROOM:
        largest = max(tensors, key=tensors.__getitem__)
        raise EncoderError(
            f"{where}: config.json asks for {needed} numbers, the weights hold {scalars}; "
            f"the largest tensor would be {largest}",
            remedy="use an intact copy of the encoder",
        )
