"""What running one sample takes, in counted operations: a clock would say what else the machine is doing."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.interface import Sample

COUNTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

SOME = 8
"""Samples over which operations are averaged."""


def operations_per_sample(encoder: Encoder, samples: Sequence[Sample]) -> float:
    """Floating-point operations of linear layers and convolutions, mean over the first samples.

    Counted by hooks of our own: torch's counter intercepts every operation, which weight normalisation does
    not survive in inference mode.
    """
    some = samples[:SOME]
    total = 0.0

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        weight: Any = layer.weight
        total += 2.0 * output.numel() * (weight.numel() / weight.shape[0])

    layers = [module for module in encoder.model.modules() if isinstance(module, COUNTED)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        for _ in encoder.observe(some):
            pass
    finally:
        for hook in hooks:
            hook.remove()
    return total / len(some)
