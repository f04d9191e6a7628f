"""Attention kernels: eager ones of some architectures compute the softmax in float32 always.

In a float64 check that rounding would count as noise ten million times as large as float64's own, so the copy
that is checked uses the fused kernel where there is one. Other precisions keep the caller's kernel.
"""

from typing import Any


def is_eager(model: Any) -> bool:
    """Whether the model was set to compute attention eagerly."""
    return getattr(getattr(model, "config", None), "_attn_implementation", None) == "eager"


def use_fused(model: Any) -> None:
    """Switch to torch's fused kernel, in place; architectures without one stay as they are."""
    try:
        model.set_attn_implementation("sdpa")
    except (AttributeError, ValueError, ImportError, TypeError):
        return
