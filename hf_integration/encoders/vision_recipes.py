"""Recipes of vision encoders."""

from typing import Any

from hf_integration.encoders import pooling
from hf_integration.encoders.recipe import NEVER_READ, POOLER, Recipe, output_named, pooled_states

_STAGED = frozenset({"resnet", "regnet", "convnext", "convnextv2", "swin", "swinv2", "dinov3_convnext"})


def clip_recipe(config: Any, _pooler: bool) -> Recipe:
    """The projected class token."""
    return Recipe("projected class token", config.projection_dim, output_named("image_embeds"))


def siglip_recipe(config: Any, _pooler: bool) -> Recipe:
    """The attention-pooling head over the patches."""
    return Recipe("attention pooling head", config.hidden_size, output_named("pooler_output"))


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
    return Recipe(
        "class token", config.hidden_size, pooled_states(pooling.first), inert=(*NEVER_READ, POOLER)
    )
