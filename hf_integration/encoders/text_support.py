"""Whether an architecture that has no family of its own is a text encoder, found out without its weights."""

import dataclasses
import inspect
import typing
from typing import Any

from hf_integration.errors import in_one_line

_OTHER_INPUTS = (
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


def why_no_text_encoder(config: Any) -> str:
    """What keeps a model from being run on token ids alone and pooled over its tokens; empty for nothing.

    Args:
        config: a transformers configuration.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    try:
        model_class: Any = MODEL_MAPPING[type(config)]
        if isinstance(model_class, tuple):
            model_class = model_class[0]
        main_input = model_class.main_input_name
        inputs = inspect.signature(model_class.forward).parameters
    except KeyError:
        return "transformers has no base model of it"
    except Exception as error:  # a module of the library that cannot be imported here, whatever it lacks
        return f"transformers cannot load it here: {_first_words(error)}"
    if getattr(config, "is_encoder_decoder", False):
        return "it is a sequence-to-sequence model"
    if "input_ids" not in inputs or main_input != "input_ids" or hasattr(config, "vision_config"):
        return "it does not take text alone"
    if others := [name for name in _OTHER_INPUTS if name in inputs]:
        return f"it takes {others[0]} besides text"
    if not _gives_hidden_states(model_class):
        return "it gives no state per token (last_hidden_state)"
    if not isinstance(getattr(config, "hidden_size", None), int):
        return "its configuration states no width (hidden_size)"
    return ""


def _gives_hidden_states(model_class: Any) -> bool:
    """Whether one of the outputs that the model declares holds a state per token; it is believed without."""
    try:
        declared = typing.get_type_hints(model_class.forward).get("return")
    except Exception:  # names that only a type checker resolves
        return True
    outputs = [kind for kind in typing.get_args(declared) or (declared,) if dataclasses.is_dataclass(kind)]
    names = [field.name for kind in outputs for field in dataclasses.fields(kind)]
    return not outputs or "last_hidden_state" in names


def _first_words(error: Exception) -> str:
    """The first line that says anything: some begin with an empty one."""
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    return line.strip() or in_one_line(error)
