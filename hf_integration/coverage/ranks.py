"""Room for edits that no key sample feels: rank and condition of the activations at every layer's input.

An edit of a layer's weights whose rows are orthogonal to every activation vector of the key samples changes
none of its outputs on them. There is no such edit where the activations span the whole input, and only a
badly hidden one where they nearly do (the attack of DESIGN's null-space edits; Fang et al., "AlphaEdit",
arXiv 2410.02355, uses the same space to edit without side effects).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.encoders.full_precision import full_precision
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.interface import Sample
from hf_integration.progress import Progress

ENOUGH = 4
"""Activation vectors, in widths of the input, beyond which no more are taken into a layer's rank."""

MOST_EFFORT = 4e10
"""Sum of the third powers of the widths of which ranks are computed, the narrowest first."""


@dataclass(frozen=True)
class InputRank:
    """Activations at the input of one linear layer.

    Attributes:
        layer: its name; layers that share their input are one.
        width: of the input.
        vectors: activation vectors of all key samples.
        rank: of the first of them; ``None`` where it was not computed, as the input is too wide.
        condition: largest over smallest singular value, ``None`` below full rank.
    """

    layer: str
    width: int
    vectors: int
    rank: int | None = None
    condition: float | None = None


class _Inputs:
    """Activation vectors of one layer: all are counted, some kept."""

    def __init__(self, width: int, *, keep: bool) -> None:
        self.width, self.vectors, self.keep = width, 0, keep
        self.kept: list[Tensor] = []

    def add(self, rows: Tensor) -> None:
        if self.keep and self.vectors < ENOUGH * self.width:
            self.kept.append(rows.detach().float().cpu())
        self.vectors += len(rows)


def input_ranks(encoder: Encoder, samples: Sequence[Sample], *, progress: Progress) -> list[InputRank]:
    """Measure every linear layer's input, on samples that run one by one, without padding beside others.

    Args:
        encoder: as it was loaded.
        samples: the key samples.
        progress: told how many are done.

    Returns:
        One entry per distinct input, in the order of the layers.
    """
    counted = encoder.tensors().keys()
    layers = {
        name: layer
        for name, layer in encoder.model.named_modules()
        if isinstance(layer, nn.Linear) and f"{name}.weight" in counted
    }
    inputs = {
        name: _Inputs(layers[name].in_features, keep=keep) for name, keep in _affordable(layers).items()
    }
    with full_precision(), _watching(layers, inputs):
        for sample in samples:
            for _ in encoder.observe([sample], batch_size=1):
                pass
            progress.advance()
    return [
        InputRank(name, met.width, met.vectors, *_rank(met)) for name, met in inputs.items() if met.vectors
    ]


def _affordable(layers: Mapping[str, nn.Linear]) -> dict[str, bool]:
    """Which layers' ranks are computed, in the order of the layers."""
    effort, affordable = 0.0, set()
    for name, layer in sorted(layers.items(), key=lambda item: item[1].in_features):
        effort += layer.in_features**3
        if effort <= MOST_EFFORT:
            affordable.add(name)
    return {name: name in affordable for name in layers}


def _rank(inputs: _Inputs) -> tuple[int | None, float | None]:
    """Rank and condition of the vectors that were kept.

    Activations are float32, so singular values below its precision are noise. Fewer vectors than the input
    is wide have no more than their number, which is not worth a decomposition.
    """
    if not inputs.keep:
        return None, None
    rows = torch.cat(inputs.kept).double()
    if len(rows) < inputs.width:
        return len(rows), None
    squares = torch.linalg.eigvalsh(rows.T @ rows).clamp(min=0)
    least = float(squares[-1]) * inputs.width * torch.finfo(torch.float32).eps ** 2
    rank = int((squares > least).sum())
    return rank, float((squares[-1] / squares[0]).sqrt()) if rank == inputs.width else None


@contextmanager
def _watching(layers: Mapping[str, nn.Linear], inputs: Mapping[str, _Inputs]) -> Iterator[None]:
    """Hooks that note every layer's input; of layers that are given the same one, only the first's."""
    last: list[Any] = [None]

    def watch(name: str) -> Any:
        def hook(_layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            if arguments and isinstance(arguments[0], Tensor) and arguments[0] is not last[0]:
                last[0] = arguments[0]
                inputs[name].add(arguments[0].flatten(0, -2))

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
