"""Recipes of audio encoders."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.encoders import pooling
from hf_integration.encoders.preparation import Batch
from hf_integration.encoders.recipe import Recipe, pooled_states


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
