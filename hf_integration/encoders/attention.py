"""Attention kernels: eager ones of some architectures compute the softmax in float32 always.

In a float64 check that rounding would count as noise ten million times as large as float64's own, so the copy
that is checked uses the fused kernel where there is one. Other precisions keep the caller's kernel.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn

from hf_integration.encoders.provenance import is_foreign


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


def foreign_kernels(model: nn.Module) -> Iterator[str]:
    """Kernels by the name of which the model computes attention, and that are of no library, in words.

    Those that transformers gets from the Hub are called by their repository, and are its own matter.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    configs = [getattr(module, "config", None) for module in model.modules()]
    names = {str(getattr(config, "_attn_implementation", "eager")) for config in configs}
    for name in sorted(names):
        for registered in (ALL_ATTENTION_FUNCTIONS, ALL_MASK_ATTENTION_FUNCTIONS):
            if "/" not in name and name in registered and is_foreign(registered[name]):
                yield f"attention '{name}' computed by a function from outside the libraries"
                break
