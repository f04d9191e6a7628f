"""Buffers that are computed, not trained, and that some models read: position and token type numbers."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

_EXPECTED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "position_ids": lambda found: torch.arange(found.shape[-1], device=found.device),
    "token_type_ids": lambda found: torch.zeros_like(found[..., :1]),
}


def off_count(model: nn.Module) -> Mapping[str, Tensor]:
    """Buffers of position numbers that do not count from 0 up, and of token types that are not 0, by name.

    As they should be they say nothing, and versions of a library differ in whether they store them. Changed
    ones send words to other positions, also beyond what key samples reach.
    """
    found = {}
    for name, buffer in model.named_buffers():
        expected = _EXPECTED.get(name.rpartition(".")[2])
        if expected is not None and buffer.ndim and not bool((buffer == expected(buffer)).all()):
            found[name] = buffer.detach()
    return found
