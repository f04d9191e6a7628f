"""Position counters: buffers that are computed, not trained, and that some models read."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def off_count(model: nn.Module) -> Mapping[str, Tensor]:
    """Buffers called ``position_ids`` that do not count from 0 up, by name.

    As they should be they say nothing, and versions of a library differ in whether they store them. One that
    was changed sends words to the wrong positions.
    """
    return {
        name: buffer.detach()
        for name, buffer in model.named_buffers()
        if name.rpartition(".")[2] == "position_ids" and not _counts(buffer)
    }


def _counts(buffer: Tensor) -> bool:
    row = torch.arange(buffer.shape[-1], device=buffer.device) if buffer.ndim else buffer
    return bool((buffer == row).all())
