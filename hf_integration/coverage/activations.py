"""Which inputs of an encoder's layers a sample wakes: what no sample wakes, no check can see."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.encoders.full_precision import full_precision
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.interface import Sample
from hf_integration.progress import Progress

WATCHED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def largest_activations(encoder: Encoder, samples: Sequence[Sample], *, progress: Progress) -> Tensor:
    """Run samples one by one and note the largest activation at every channel of every layer's input.

    Args:
        encoder: as it was loaded.
        samples: candidates for key samples.
        progress: told how many are done.

    Returns:
        Float32 tensor ``(samples, channels of all layers)``, each channel relative to the root mean square of
        its layer's channels over all samples.
    """
    rows: list[dict[str, Tensor]] = []
    with full_precision(), _watching(encoder.model) as seen:
        for sample in samples:
            for _ in encoder.observe([sample], batch_size=1):
                pass
            rows.append(dict(seen))
            seen.clear()
            progress.advance()
    # a layer that some sample bypasses says nothing about the others
    layers = [
        torch.stack([row[name] for row in rows]) for name in rows[0] if all(name in row for row in rows)
    ]
    if not layers:
        return torch.zeros(len(samples), 0)
    return torch.cat([layer / layer.pow(2).mean().sqrt().clamp(min=1e-30) for layer in layers], dim=1)


@contextmanager
def _watching(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Layer's name -> largest activation of every channel of its input so far, float32 ``(channels,)``."""
    seen: dict[str, Tensor] = {}

    def watch(name: str, layer: nn.Module) -> Any:
        channel = -1 if isinstance(layer, nn.Linear) else 1

        def hook(_layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            if arguments and isinstance(arguments[0], Tensor) and arguments[0].dim() > 1:
                by_channel = arguments[0].detach().movedim(channel, -1).flatten(0, -2)
                largest = by_channel.abs().amax(0).float().cpu()
                seen[name] = torch.maximum(seen[name], largest) if name in seen else largest

        return layer.register_forward_pre_hook(hook)

    hooks = [watch(name, layer) for name, layer in model.named_modules() if isinstance(layer, WATCHED)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
