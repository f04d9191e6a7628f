"""Recipes of text encoders."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hf_integration.encoders import pooling
from hf_integration.encoders.recipe import (
    NEVER_READ,
    POOLER,
    Recipe,
    attention_mask,
    output_named,
    pooled_states,
)

POOLS: Mapping[str, pooling.Pool] = {
    "cls": pooling.first,
    "max": pooling.maximum,
    "mean": pooling.mean,
    "mean_sqrt_len_tokens": pooling.mean_sqrt_len,
    "weightedmean": pooling.weighted_mean,
    "lasttoken": pooling.last,
}


def mean_recipe(config: Any, _pooler: bool) -> Recipe:
    """Mean over the mask: how plain encoders without a recipe of their own are used."""
    return Recipe(
        "mean over the mask",
        config.hidden_size,
        pooled_states(pooling.mean),
        mask=attention_mask,
        inert=(*NEVER_READ, POOLER),
    )


def sentence_recipe(config: Any, modes: tuple[str, ...], left_out: int = 0) -> Recipe:
    """Pooling modes of a sentence encoder, concatenated.

    Args:
        config: a transformers configuration.
        modes: names in ``POOLS``.
        left_out: tokens at the beginning of every text that are not pooled: those of a prompt.
    """
    pools = [POOLS[mode] for mode in modes]

    def head(output: Any, mask: Tensor | None) -> Tensor:
        states = output.last_hidden_state
        if left_out:
            mask = torch.ones(states.shape[:2], device=states.device) if mask is None else mask.clone()
            mask[:, :left_out] = 0
        return torch.cat([pool(states, mask) for pool in pools], dim=1)

    return Recipe(
        f"{' + '.join(modes)} over the mask",
        config.hidden_size * len(modes),
        head,
        mask=attention_mask,
        inert=(*NEVER_READ, POOLER),
    )


def dpr_recipe(config: Any, _pooler: bool) -> Recipe:
    """The state of the class token, projected where the encoder has a projection."""
    width = config.projection_dim or config.hidden_size
    return Recipe("class token", width, output_named("pooler_output"), mask=attention_mask)


def clip_recipe(config: Any, _pooler: bool) -> Recipe:
    """The projected state of the end token."""
    return Recipe(
        "projected end token", config.projection_dim, output_named("text_embeds"), mask=attention_mask
    )


def siglip_recipe(config: Any, _pooler: bool) -> Recipe:
    """The head over the last position of a text padded to its maximum; there is no mask."""
    return Recipe("head over the last position", config.projection_size, output_named("pooler_output"))
