"""How much memory a backward pass through an encoder takes, measured on one sample before all are run."""

from collections.abc import Sequence
from typing import Any

import psutil
import torch
from torch import Tensor

from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.interface import Sample, Waveform

SHARE = 0.6
"""Of what the system can give without swapping; others want some of it, too."""


def available_memory() -> float:
    """Bytes that may be taken."""
    return SHARE * float(psutil.virtual_memory().available)


def graph_bytes(encoder: Encoder, samples: Sequence[Sample]) -> int:
    """Bytes that the graph of the longest sample keeps for a backward pass in float64.

    Counted in the encoder's own precision, where it costs little, and scaled.

    Args:
        encoder: as it was loaded.
        samples: key samples, at least one.
    """
    longest = max(samples, key=_length)
    own = {parameter.untyped_storage().data_ptr() for parameter in encoder.model.parameters()}
    kept: dict[int, float] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            scale = 8 / tensor.element_size() if tensor.is_floating_point() else 1.0
            kept[storage.data_ptr()] = storage.nbytes() * scale
        return tensor

    trained = [(parameter, parameter.requires_grad) for parameter in encoder.model.parameters()]
    try:
        for parameter, _ in trained:
            parameter.requires_grad_(True)
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autograd.graph.saved_tensors_hooks(keep, _same),
        ):
            batches = list(encoder.observe([longest], batch_size=1, gradient=True))
            total = sum(kept.values())  # before the graph goes, so that no storage's place is used twice
        del batches
    finally:
        for parameter, wanted in trained:
            parameter.requires_grad_(wanted)
    return int(total)


def _same(tensor: Any) -> Any:
    return tensor


def _length(sample: Sample) -> int:
    if isinstance(sample, str):
        return len(sample)
    return len(sample.samples) if isinstance(sample, Waveform) else sample.size
