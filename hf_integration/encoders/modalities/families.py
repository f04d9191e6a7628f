"""Which class loads an architecture, and which recipe makes an embedding of what it gives."""

import dataclasses
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hf_integration.base.errors import EncoderError, UsageError, in_one_line
from hf_integration.base.vocabulary import MODALITIES, Modality
from hf_integration.encoders.modalities import recipes
from hf_integration.encoders.modalities.recipes import Recipe


@dataclass(frozen=True)
class Family:
    """How one kind of encoder is loaded.

    Attributes:
        modality: kind of raw sample.
        class_name: class of transformers that loads it.
        recipe: configuration, and whether a trained pooler is there -> recipe.
        part: submodule that is the encoder, when the class loads more.
        fixed_length: whether texts are always padded to the maximum.
    """

    modality: Modality
    class_name: str
    recipe: Callable[[Any, bool], Recipe]
    part: str = ""
    fixed_length: bool = False


_TEXT = Family("text", "AutoModel", recipes.mean_recipe)
_DPR = Family("text", "AutoModel", recipes.dpr_recipe)
_CLIP_TEXT = Family("text", "CLIPTextModelWithProjection", recipes.clip_text_recipe)
_CLIP_IMAGE = Family("image", "CLIPVisionModelWithProjection", recipes.clip_image_recipe)
_SIGLIP_TEXT = Family("text", "SiglipTextModel", recipes.siglip_text_recipe, fixed_length=True)
_SIGLIP_IMAGE = Family("image", "SiglipVisionModel", recipes.siglip_image_recipe)
_POOLED_VISION = Family("image", "AutoModel", recipes.pooled_recipe)
_TOKEN_VISION = Family("image", "AutoModel", recipes.class_token_recipe)
_WAVE = Family("audio", "AutoModel", recipes.wave_recipe)
_WHISPER = Family("audio", "WhisperModel", recipes.whisper_recipe, part="encoder")

# Families by model type, the preferred one first where a folder holds two towers.
FAMILIES: dict[str, tuple[Family, ...]] = {
    "clip": (_CLIP_IMAGE, _CLIP_TEXT),
    "clip_vision_model": (_CLIP_IMAGE,),
    "clip_text_model": (_CLIP_TEXT,),
    "siglip": (_SIGLIP_IMAGE, _SIGLIP_TEXT),
    "siglip_vision_model": (_SIGLIP_IMAGE,),
    "siglip_text_model": (_SIGLIP_TEXT,),
    **dict.fromkeys(("vit", "deit"), (_TOKEN_VISION,)),
    **dict.fromkeys(
        ("dinov2", "dinov2_with_registers", "dinov3_vit", "dinov3_convnext", "resnet", "regnet", "convnext"),
        (_POOLED_VISION,),
    ),
    **dict.fromkeys(("convnextv2", "swin", "swinv2"), (_POOLED_VISION,)),
    **dict.fromkeys(("wav2vec2", "hubert", "wavlm"), (_WAVE,)),
    "whisper": (_WHISPER,),
    "dpr": (_DPR,),
}


def choose_family(
    config: Any,
    *,
    where: str,
    modality: Modality | None,
    has_processor: Callable[[Modality], bool],
    preferred: Modality | None = None,
) -> Family:
    """The family of a configuration.

    Args:
        config: a transformers configuration.
        where: folder or name, for messages.
        modality: the caller's choice where there are two towers.
        has_processor: whether a modality's processor is there; decides where the caller does not.
        preferred: taken where the caller does not choose and there is such a tower: a card's modality, of
            which an altered encoder may have none.

    Raises:
        EncoderError: no encoder of a supported kind, or none of that modality.
        UsageError: an unknown modality.
    """
    if modality is not None and modality not in MODALITIES:
        raise UsageError(f"unknown modality {modality!r}", remedy=f"choose from {', '.join(MODALITIES)}")
    families = FAMILIES.get(config.model_type)
    if families is None:
        if why := why_no_text_encoder(config):
            raise EncoderError(
                f"{where}: architecture {config.model_type!r} is not supported: {why}",
                remedy=f"supported: plain text encoders, {', '.join(FAMILIES)}",
            )
        families = (_TEXT,)
    if modality is not None:
        families = tuple(family for family in families if family.modality == modality)
        if not families:
            raise EncoderError(f"{where}: architecture {config.model_type!r} has no {modality} encoder")
    for family in families:
        if family.modality == preferred:
            return family
    return next((family for family in families if has_processor(family.modality)), families[0])


def config_of(config: Any, family: Family) -> Any:
    """The configuration of one tower, where a configuration describes two."""
    part = {"image": "vision_config", "text": "text_config"}.get(family.modality, "")
    return getattr(config, part, config)


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
