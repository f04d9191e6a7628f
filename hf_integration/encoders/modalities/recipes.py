"""Recipes: how the hidden states of a family of encoders become one embedding."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.encoders.modalities import pooling
from hf_integration.encoders.modalities.preparation import Batch

Mask = Callable[[nn.Module, Batch], Tensor | None]
Head = Callable[[Any, Tensor | None], Tensor]


def no_mask(_module: nn.Module, _batch: Batch) -> None:
    """Every position is real."""


def attention_mask(_module: nn.Module, batch: Batch) -> Tensor | None:
    """The tokenizer's mask, if it makes one."""
    return batch.inputs.get("attention_mask")


def pooled_states(pool: pooling.Pool) -> Head:
    """Pool ``last_hidden_state`` over its real positions."""
    return lambda output, mask: pool(output.last_hidden_state, mask)


def output_named(name: str) -> Head:
    """Take a vector that the model itself computes; ``(batch, C, 1, 1)`` is flattened."""
    return lambda output, _mask: getattr(output, name).flatten(1).double()


# Read only in training, on masked inputs, or as position counters: they cannot reach an embedding.
NEVER_READ = (
    r"(^|\.)num_batches_tracked$",
    r"(^|\.)position_ids$",
    r"(^|\.)masked_spec_embed$",
    r"(^|\.)embeddings\.mask_token$",
)
POOLER = r"^pooler\."


@dataclass(frozen=True)
class Recipe:
    """From raw model outputs to strips and embedding.

    Attributes:
        pooling: the recipe in words, e.g. ``mean over the mask``.
        width: dimensions of the embedding before any module that follows.
        head: model output and mask -> float64 tensor ``(batch, width)``.
        mask: module and batch -> mask over the positions of the hidden states, or ``None``.
        method: the module's method to call.
        layer_word: what a hidden state is called: ``layer`` or ``stage``.
        config_part: attribute of the configuration that is this encoder's; empty for all of it.
        counted: prefixes of the tensors that belong to this encoder.
        inert: patterns of tensors that cannot influence the embedding.
    """

    pooling: str
    width: int
    head: Head
    mask: Mask = no_mask
    method: str = "forward"
    layer_word: str = "layer"
    config_part: str = ""
    counted: tuple[str, ...] = ("",)
    inert: tuple[str, ...] = field(default=NEVER_READ)

    def configuration(self, module: nn.Module) -> Any:
        """The part of the module's configuration that this encoder obeys, or ``None``."""
        config = getattr(module, "config", None)
        return getattr(config, self.config_part) if self.config_part else config


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


def clip_text_recipe(config: Any, _pooler: bool) -> Recipe:
    """The projected state of the end token."""
    return Recipe(
        "projected end token", config.projection_dim, output_named("text_embeds"), mask=attention_mask
    )


def siglip_text_recipe(config: Any, _pooler: bool) -> Recipe:
    """The head over the last position of a text padded to its maximum; there is no mask."""
    return Recipe("head over the last position", config.projection_size, output_named("pooler_output"))


_STAGED = frozenset({"resnet", "regnet", "convnext", "convnextv2", "swin", "swinv2", "dinov3_convnext"})


def clip_image_recipe(config: Any, _pooler: bool) -> Recipe:
    """The projected class token."""
    return Recipe("projected class token", config.projection_dim, output_named("image_embeds"))


def siglip_image_recipe(config: Any, _pooler: bool) -> Recipe:
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


def wave_recipe(config: Any, _pooler: bool) -> Recipe:
    """Mean over the frames that real samples reach (wav2vec 2.0, HuBERT, WavLM)."""
    adapted = getattr(config, "add_adapter", False)
    width = config.output_hidden_size if adapted else config.hidden_size
    return Recipe("mean over real frames", width, pooled_states(pooling.mean), mask=_wave_frames)


def whisper_recipe(config: Any, _pooler: bool) -> Recipe:
    """Mean over the frames that hold sound; the rest of the 30 seconds is padding."""
    return Recipe(
        "mean over frames with sound", config.d_model, pooled_states(pooling.mean), mask=_whisper_frames
    )


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
