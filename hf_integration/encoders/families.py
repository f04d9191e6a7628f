"""Which class loads an architecture, and which recipe makes an embedding of what it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hf_integration.encoders import audio_recipes, text_recipes, vision_recipes
from hf_integration.encoders.recipe import Recipe
from hf_integration.encoders.text_support import why_no_text_encoder
from hf_integration.errors import EncoderError, UsageError
from hf_integration.key_samples.interface import MODALITIES, Modality


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


_TEXT = Family("text", "AutoModel", text_recipes.mean_recipe)
_DPR = Family("text", "AutoModel", text_recipes.dpr_recipe)
_CLIP_TEXT = Family("text", "CLIPTextModelWithProjection", text_recipes.clip_recipe)
_CLIP_IMAGE = Family("image", "CLIPVisionModelWithProjection", vision_recipes.clip_recipe)
_SIGLIP_TEXT = Family("text", "SiglipTextModel", text_recipes.siglip_recipe, fixed_length=True)
_SIGLIP_IMAGE = Family("image", "SiglipVisionModel", vision_recipes.siglip_recipe)
_POOLED_VISION = Family("image", "AutoModel", vision_recipes.pooled_recipe)
_TOKEN_VISION = Family("image", "AutoModel", vision_recipes.class_token_recipe)
_WAVE = Family("audio", "AutoModel", audio_recipes.wave_recipe)
_WHISPER = Family("audio", "WhisperModel", audio_recipes.whisper_recipe, part="encoder")

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
