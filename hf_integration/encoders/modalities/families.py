"""Families of encoders: which class loads an architecture, and how an embedding is made of what it gives.

An architecture has an entry here only where the use that the library documents is not what
:mod:`hf_integration.encoders.modalities.generic` finds out by itself, or where cards name it in these words.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.errors import EncoderError
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.modalities.preparation import Batch
from hf_integration.encoders.modalities.recipes import (
    NEVER_READ,
    POOLER,
    Recipe,
    attention_mask,
    output_named,
    pooled_states,
)


@dataclass(frozen=True)
class Family:
    """How one kind of encoder is loaded.

    Attributes:
        modality: kind of raw sample.
        class_name: class of transformers that loads it.
        recipe: configuration, and whether a trained pooler is there -> recipe.
        part: submodule that is the encoder, when the class loads more.
        fixed_length: whether texts are always padded to the maximum.
        one_by_one: whether the processor is given one sample at a time, and the model all that comes of it.
        settings: keys of the configuration that the documented use sets when it loads the model.
        own_pooling: whether no other pooling can be chosen, as what follows it was trained with it.
    """

    modality: Modality
    class_name: str
    recipe: Callable[[Any, bool], Recipe]
    part: str = ""
    fixed_length: bool = False
    one_by_one: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    own_pooling: bool = False


def mean_recipe(config: Any, _pooler: bool) -> Recipe:
    """Mean over the mask: how plain encoders without a recipe of their own are used."""
    return Recipe(
        "mean over the mask",
        config.hidden_size,
        pooled_states("mean"),
        mask=attention_mask,
        inert=(*NEVER_READ, POOLER),
    )


def dpr_recipe(config: Any, _pooler: bool) -> Recipe:
    """The state of the class token, projected where the encoder has a projection."""
    width = config.projection_dim or config.hidden_size
    return Recipe("class token", width, output_named("pooler_output"), mask=attention_mask)


def clip_text_recipe(config: Any, _pooler: bool) -> Recipe:
    """The projected state of the end token."""
    return Recipe(
        "projected end token", config.projection_dim, output_named("text_embeds"), mask=attention_mask
    )


def siglip_text_recipe(config: Any, _pooler: bool) -> Recipe:
    """The head over the last position of a text padded to its maximum; there is no mask."""
    return Recipe("head over the last position", config.projection_size, output_named("pooler_output"))


def clip_image_recipe(config: Any, _pooler: bool) -> Recipe:
    """The projected class token."""
    return Recipe("projected class token", config.projection_dim, output_named("image_embeds"))


def siglip_image_recipe(config: Any, _pooler: bool) -> Recipe:
    """The attention-pooling head over the patches."""
    return Recipe("attention pooling head", config.hidden_size, output_named("pooler_output"))


_STAGED = frozenset({"resnet", "regnet", "convnext", "convnextv2", "swin", "swinv2", "dinov3_convnext"})


def pooled_recipe(config: Any, _pooler: bool) -> Recipe:
    """The model's own pooling, which has no weights beyond a normalisation that every checkpoint holds."""
    staged = config.model_type in _STAGED
    width = config.hidden_sizes[-1] if hasattr(config, "hidden_sizes") else config.hidden_size
    words = "mean over the map" if staged else "class token"
    return Recipe(words, width, output_named("pooler_output"), layer_word="stage" if staged else "layer")


def class_token_recipe(config: Any, pooler: bool) -> Recipe:
    """The pooler over the class token if it was trained, else the class token itself.

    A checkpoint without a pooler would get a random one.
    """
    if pooler:
        width = getattr(config, "pooler_output_size", None) or config.hidden_size
        return Recipe("pooler over the class token", width, output_named("pooler_output"))
    return Recipe("class token", config.hidden_size, pooled_states("cls"), inert=(*NEVER_READ, POOLER))


def wave_recipe(config: Any, _pooler: bool) -> Recipe:
    """Mean over the frames that real samples reach (wav2vec 2.0, HuBERT, WavLM)."""
    adapted = getattr(config, "add_adapter", False)
    width = config.output_hidden_size if adapted else config.hidden_size
    return Recipe("mean over real frames", width, pooled_states("mean"), mask=_wave_frames)


def whisper_recipe(config: Any, _pooler: bool) -> Recipe:
    """Mean over the frames that hold sound; the rest of the 30 seconds is padding."""
    return Recipe("mean over frames with sound", config.d_model, pooled_states("mean"), mask=_whisper_frames)


def masked_image_recipe(config: Any, _pooler: bool) -> Recipe:
    """The class token over all patches in their order: ViT-MAE hides most of them, and shuffles the rest."""
    return Recipe("class token", config.hidden_size, pooled_states("cls"), also=_patches_in_order)


def _patches_in_order(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
    config: Any = module.config
    if config.mask_ratio:
        raise EncoderError(
            f"{type(module).__name__} hides patches at random (mask_ratio {config.mask_ratio})",
            remedy="load it with mask_ratio=0.0",
        )
    values = batch.inputs["pixel_values"]
    count: Any = module.get_submodule("embeddings.patch_embeddings").num_patches
    return {"noise": torch.arange(count, device=values.device).expand(len(values), -1)}


def _wave_frames(module: nn.Module, batch: Batch) -> Tensor | None:
    if batch.lengths is None:
        return None
    count: Any = module._get_feat_extract_output_lengths
    # Frames after the convolutions; an adapter behind them strides further.
    has_adapter = "add_adapter" in inspect.signature(count).parameters
    frames: Tensor = count(batch.lengths, add_adapter=False) if has_adapter else count(batch.lengths)
    return torch.arange(int(frames.max())) < frames.unsqueeze(1)


def _whisper_frames(module: nn.Module, batch: Batch) -> Tensor | None:
    if batch.lengths is None:
        return None
    config: Any = module.config
    # Mel frames come every 10 ms (160 samples) and the second convolution halves them: 320 samples a frame.
    frames: Tensor = (batch.lengths // 2).clamp(1, config.max_source_positions)
    return torch.arange(config.max_source_positions) < frames.unsqueeze(1)


PLAIN_TEXT = Family("text", "AutoModel", mean_recipe)
_DPR = Family("text", "AutoModel", dpr_recipe, own_pooling=True)
_CLIP_TEXT = Family("text", "CLIPTextModelWithProjection", clip_text_recipe, own_pooling=True)
_CLIP_IMAGE = Family("image", "CLIPVisionModelWithProjection", clip_image_recipe, own_pooling=True)
_SIGLIP_TEXT = Family("text", "SiglipTextModel", siglip_text_recipe, fixed_length=True, own_pooling=True)
_SIGLIP_IMAGE = Family("image", "SiglipVisionModel", siglip_image_recipe, own_pooling=True)
_POOLED_VISION = Family("image", "AutoModel", pooled_recipe)
_TOKEN_VISION = Family("image", "AutoModel", class_token_recipe)
_WAVE = Family("audio", "AutoModel", wave_recipe)
_WHISPER = Family("audio", "WhisperModel", whisper_recipe, part="encoder")
_SIGLIP2_TEXT = Family("text", "Siglip2TextModel", siglip_text_recipe, fixed_length=True, own_pooling=True)
_SIGLIP2_IMAGE = Family("image", "Siglip2VisionModel", siglip_image_recipe, one_by_one=True, own_pooling=True)
_MASKED_VISION = Family("image", "AutoModel", masked_image_recipe, settings={"mask_ratio": 0.0})

# classes that hold the encoder of a sequence-to-sequence model alone, below a head
ENCODERS_ALONE = frozenset({"WhisperForAudioClassification"})

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
    # two towers of which the text's takes texts padded to the maximum, as SigLIP's
    "siglip2": (_SIGLIP2_IMAGE, _SIGLIP2_TEXT),
    "siglip2_vision_model": (_SIGLIP2_IMAGE,),
    "siglip2_text_model": (_SIGLIP2_TEXT,),
    "vit_mae": (_MASKED_VISION,),
}
