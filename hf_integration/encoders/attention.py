"""Attention kernels: eager ones of some architectures compute the softmax in float32 always.

In a float64 check that rounding would count as noise ten million times as large as float64's own, so the copy
that is checked uses the fused kernel where there is one. Other precisions keep the caller's kernel.
"""

from typing import Any

from torch import nn


def could_be_fused(model: nn.Module) -> bool:
    """Whether the model computes attention eagerly although it has a fused kernel.

    Architectures without one, and those without attention, call themselves eager too.
    """
    config = getattr(model, "config", None)
    return getattr(config, "_attn_implementation", None) == "eager" and any(
        getattr(type(module), "_supports_sdpa", False) for module in model.modules()
    )


def use_fused(model: Any) -> None:
    """Switch to torch's fused kernel, in place; architectures without one stay as they are."""
    try:
        model.set_attn_implementation("sdpa")
    except (AttributeError, ValueError, ImportError, TypeError):
        return
