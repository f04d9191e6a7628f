"""Encoders without an entry of their own: what the library's class says of itself decides.

The class is the one that was saved, where that is an encoder without a task's head, or the one that
AutoModel takes. Its main input decides the modality; ``get_text_features`` and its like make two towers of
one model; and what it declares to give decides whether there is an embedding in it. The pooling is that of
the library: vectors that it calls ``pooler_output`` or ``*_embeds``, else the class token, else the mean.
"""

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Mapping
from typing import Any

from hf_integration.base.errors import in_one_line
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.modalities.families import PLAIN_TEXT, Family, mean_recipe, wave_recipe
from hf_integration.encoders.modalities.observed import UnsupportedError
from hf_integration.encoders.modalities.recipes import (
    NEVER_READ,
    POOLER,
    Recipe,
    attention_mask,
    output_named,
    pooled_states,
)

_MAIN_INPUTS: Mapping[str, Modality] = {
    "input_ids": "text",
    "pixel_values": "image",
    "input_values": "audio",
    "input_features": "audio",
}

_TOWERS: Mapping[Modality, tuple[str, ...]] = {
    "image": ("vision", "visual", "image"),
    "audio": ("audio",),
    "text": ("text",),
}
"""Words in the names of a tower's parts, the preferred modality first where a model has several."""

_BESIDE_TEXT = (
    "pixel_values",
    "pixel_values_videos",
    "input_features",
    "input_values",
    "visual_embeds",
    "visual_feats",
    "image",
    "audio_input_ids",
    "audio_latents",
)


def generic_families(config: Any, saved: str | None) -> tuple[Family, ...]:
    """The towers of an architecture, the preferred one first.

    Args:
        config: a transformers configuration.
        saved: class that the weights were saved of, as far as it is known.

    Raises:
        UnsupportedError: there is none.
    """
    kind = _class_of(config, saved)
    try:
        main_input, inputs = kind.main_input_name, inspect.signature(kind.forward).parameters
    except Exception as error:  # a module of the library that cannot be imported here, whatever it lacks
        raise UnsupportedError(f"transformers cannot load it here: {_first_words(error)}") from error
    given = _outputs(kind)
    if towers := _towers(kind, given):
        return towers
    if getattr(config, "is_encoder_decoder", False) and main_input in _MAIN_INPUTS:
        return (_encoder_half(config, kind),)
    modality = _MAIN_INPUTS.get(str(main_input), "image")
    if modality == "text":
        return (_text(config, kind, inputs, given),)
    _check_inputs(kind, modality, main_input, inputs)
    if given and not {"last_hidden_state", "pooler_output", f"{modality}_embeds"} & given:
        raise UnsupportedError("it gives no state per position (last_hidden_state) and no embedding")
    if main_input == "input_values" and hasattr(config, "conv_kernel"):
        return (Family("audio", _name(config, kind), wave_recipe),)
    own = f"{modality}_embeds" in given
    return (Family(modality, _name(config, kind), _Generic(given), one_by_one=True, own_pooling=own),)


def named_classes(architectures: object) -> list[str]:
    """The names under ``architectures`` in a configuration, whatever is there."""
    named = architectures if isinstance(architectures, list | tuple) else ()
    return [name for name in named if isinstance(name, str)]


def bare_class(config: Any, name: str | None) -> Any:
    """The class of this name, if it is an encoder of such a configuration without a task's head."""
    import transformers

    if not name or re.search("For|Head", name) or not name.endswith(("Model", "Encoder", "WithProjection")):
        return None
    try:
        kind: Any = getattr(transformers, name, None)
        fits = getattr(kind, "config_class", None) is type(config)
        return kind if fits and issubclass(kind, transformers.PreTrainedModel) else None
    except Exception:  # one that cannot be imported here is told of where it is needed
        return None


def base_class(config: Any) -> Any:
    """The class that AutoModel takes for a configuration, or ``None``.

    Raises:
        Exception: whatever an import of it raises.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    try:
        found = MODEL_MAPPING[type(config)]
    except KeyError:
        return None
    return found[0] if isinstance(found, tuple) else found


def _class_of(config: Any, saved: str | None) -> Any:
    if (kind := bare_class(config, saved)) is not None:
        return kind
    try:
        kind = base_class(config)
    except Exception as error:  # a module of the library that cannot be imported here, whatever it lacks
        raise UnsupportedError(f"transformers cannot load it here: {_first_words(error)}") from error
    if kind is None:
        raise UnsupportedError("transformers has no base model of it")
    return kind


def _name(config: Any, kind: Any) -> str:
    return "AutoModel" if kind is base_class(config) else str(kind.__name__)


def _outputs(kind: Any, method: str = "forward") -> frozenset[str]:
    """Names of what the class declares to give; none where it declares nothing that can be read."""
    try:
        declared = typing.get_type_hints(getattr(kind, method)).get("return")
    except Exception:  # names that only a type checker resolves
        return frozenset()
    outputs = [each for each in typing.get_args(declared) or (declared,) if dataclasses.is_dataclass(each)]
    return frozenset(field.name for each in outputs for field in dataclasses.fields(each))


def _towers(kind: Any, given: frozenset[str]) -> tuple[Family, ...]:
    """Those of a model that compares two modalities, each run by the method that the library has for it."""
    if "text_embeds" not in given or not given & {"image_embeds", "audio_embeds", "video_embeds"}:
        return ()
    return tuple(
        Family(modality, kind.__name__, _Tower(modality), one_by_one=modality != "text", own_pooling=True)
        for modality in _TOWERS
        if hasattr(kind, f"get_{modality}_features")
    )


def _encoder_half(config: Any, kind: Any) -> Family:
    """The encoder of a sequence-to-sequence model: by a class of it alone, else as a part of the whole."""
    import transformers

    if not kind.__name__.endswith("EncoderModel"):
        kind = base_class(config) or kind  # MarianMTModel has a head, whatever its name says
    name = f"{kind.__name__.removesuffix('EncoderModel').removesuffix('Model')}EncoderModel"
    modality = _MAIN_INPUTS[kind.main_input_name]
    has_width = isinstance(getattr(config, "hidden_size", None), int)
    if modality == "text" and has_width and hasattr(transformers, name):
        return Family("text", name, _half_recipe, part="encoder")
    name, given = _name(config, kind), _check_half(kind, modality)
    if modality == "text" and has_width:
        return Family("text", name, _half_recipe, part="encoder")
    return Family(modality, name, _Generic(given), part="encoder", one_by_one=modality != "text")


def _check_half(kind: Any, modality: Modality) -> frozenset[str]:
    """What the encoder of a whole model gives, by the class that the library has beside the model's.

    Raises:
        UnsupportedError: there is no such class, or it takes anything besides one raw sample.
    """
    stem, beside = kind.__name__.removesuffix("Model"), vars(sys.modules[kind.__module__])
    halves = [name for name in beside if name.startswith(stem) and name.endswith("Encoder")]
    # several are of text and of speech; one without a configuration of its own cannot be run by itself
    half: Any = beside.get(f"{stem}Encoder") if len(halves) == 1 else None
    alone = hasattr(half, "config_class") and modality != "image"
    inputs = inspect.signature(half.forward).parameters if alone else {}
    if kind.main_input_name not in inputs:
        raise UnsupportedError("it is a sequence-to-sequence model without an encoder of its own")
    if modality != "text":
        _check_inputs(half, modality, kind.main_input_name, inputs)
    elif others := [name for name in _BESIDE_TEXT if name in inputs]:
        raise UnsupportedError(f"it takes {others[0]} besides text")
    return _outputs(half)


def _half_recipe(config: Any, pooler: bool) -> Recipe:
    return dataclasses.replace(mean_recipe(config, pooler), alone={"is_encoder_decoder": False})


def _text(config: Any, kind: Any, inputs: Mapping[str, Any], given: frozenset[str]) -> Family:
    if "input_ids" not in inputs or hasattr(config, "vision_config"):
        raise UnsupportedError("it does not take text alone")
    if others := [name for name in _BESIDE_TEXT if name in inputs]:
        raise UnsupportedError(f"it takes {others[0]} besides text")
    if given and not {"last_hidden_state", "text_embeds"} & given:
        raise UnsupportedError("it gives no state per token (last_hidden_state)")
    # the tower of a model with two: what the library projects is its pooler's output
    if "text_embeds" in given or config.model_type.endswith("_text_model"):
        return Family("text", _name(config, kind), _Generic(given), own_pooling="text_embeds" in given)
    if not isinstance(getattr(config, "hidden_size", None), int):
        raise UnsupportedError("its configuration states no width (hidden_size)")
    return dataclasses.replace(PLAIN_TEXT, class_name=_name(config, kind))


def _check_inputs(kind: Any, modality: Modality, main: object, inputs: Mapping[str, Any]) -> None:
    """Refuse what takes anything besides one image or one recording.

    Raises:
        UnsupportedError: it does.
    """
    kinds = getattr(kind, "input_modalities", None) or ()
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if main == "pixel_values_videos" or (modality == "image" and "video" in kinds and "image" not in kinds):
        raise UnsupportedError("it takes videos")
    if main == "past_values":
        raise UnsupportedError("it takes time series")
    if str(main) not in _MAIN_INPUTS or main not in inputs:
        raise UnsupportedError(f"it takes {main}")
    if "input_ids" in inputs:
        raise UnsupportedError("it takes text besides")
    if halves := [name for name in inputs if name.startswith(("decoder_", "encoder_outputs"))]:
        raise UnsupportedError(f"it decodes what it encoded ({halves[0]})")
    needed = [
        name
        for name, parameter in inputs.items()
        if name not in ("self", main)
        and parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and name not in _OF_THE_PROCESSOR
    ]
    if needed:
        raise UnsupportedError(f"it takes {needed[0]} besides")


_OF_THE_PROCESSOR = frozenset({"attention_mask", "pixel_attention_mask", "spatial_shapes", "is_longer"})
"""Inputs that processors make of a raw sample."""


class _Tower:
    """The recipe of one tower of a model with several; its pooling and width are what it gives."""

    def __init__(self, modality: Modality) -> None:
        self._modality = modality

    def __call__(self, _config: Any, _pooler: bool) -> Recipe:
        words = "|".join(_TOWERS[self._modality])
        return Recipe(
            "",
            0,
            output_named("pooler_output"),
            mask=attention_mask,
            method=f"get_{self._modality}_features",
            inert=(*NEVER_READ, rf"^(?!\w*({words}))"),
        )


class _Generic:
    """The recipe of a class that is one encoder; its pooling and width are what it gives."""

    def __init__(self, given: frozenset[str]) -> None:
        self._pools = "pooler_output" in given or not given

    def __call__(self, _config: Any, pooler: bool) -> Recipe:
        used = pooler and self._pools
        inert = NEVER_READ if used else (*NEVER_READ, POOLER)
        return Recipe("", 0, pooled_states("mean"), mask=attention_mask, inert=inert)


def _first_words(error: Exception) -> str:
    """The first line that says anything: some begin with an empty one."""
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    return line.strip() or in_one_line(error)
