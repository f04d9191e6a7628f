"""Room for edits that no key sample feels: rank and condition of the activations at every layer's input.

An edit of a layer's weights whose rows are orthogonal to every activation vector of the key samples changes
none of its outputs on them. There is no such edit where the activations span the whole input, and only a
badly hidden one where they nearly do (the attack of DESIGN's null-space edits; Fang et al., "AlphaEdit",
arXiv 2410.02355, uses the same space to edit without side effects).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.progress import Progress
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples.samples import Sample

Layer = nn.Linear | nn.Conv1d | nn.Conv2d
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers that multiply their weights with vectors of their input."""


def width_of(layer: Layer) -> int:
    """Length of the vectors that a layer's weights are multiplied with."""
    return layer.in_features if isinstance(layer, nn.Linear) else layer.weight[0].numel()


def patches(layer: nn.Conv1d | nn.Conv2d, given: Tensor) -> Tensor:
    """Patches of a convolution's input, at the positions where its filters are applied.

    Args:
        layer: the convolution.
        given: its input, ``(samples, channels, *space)``.

    Returns:
        ``(samples x positions, groups, width)``; ``layer.weight.flatten(1)`` times them are its outputs
        before the bias.
    """
    padding: Any = layer._reversed_padding_repeated_twice  # the one place where "same" is resolved
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    view = nn.functional.pad(given, padding, mode=mode)
    space = range(2, given.ndim)
    for axis, size, stride, dilation in zip(
        space, layer.kernel_size, layer.stride, layer.dilation, strict=True
    ):
        view = view.unfold(axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
    # (samples, channels, *positions, *kernel) -> (samples, *positions, channels, *kernel)
    order = [0, *space, 1, *range(given.ndim, view.ndim)]
    return torch.reshape(view.permute(order), (-1, layer.groups, width_of(layer)))


ENOUGH = 4
"""Activation vectors, in widths of the input, that all samples together give to a layer's rank."""

MOST_EFFORT = 4e11
"""Sum of the third powers of the widths of which ranks are computed, the narrowest first."""


@dataclass(frozen=True)
class InputRank:
    """Activations at the input of one linear layer or convolution.

    Attributes:
        layer: its name; layers that share their input are one.
        width: of the input.
        vectors: activation vectors of all key samples; 0 where they were not seen, as the weights go to a
            function that multiplies by itself.
        rank: of a choice of them, as many of each sample; ``None`` where it was not computed, as the input is
            too wide; no more than their number in any case.
        condition: largest over smallest singular value, ``None`` below full rank.
    """

    layer: str
    width: int
    vectors: int
    rank: int | None = None
    condition: float | None = None


@dataclass
class _Inputs:
    """Activation vectors at one layer's input: all are counted, some go into the rank.

    Attributes:
        width: of a vector.
        share: vectors that one sample may give to the rank, drawn among its positions.
        groups: inputs that filters of different groups see apart.
        keep: whether the rank is computed.
        vectors: all of them so far.
        used: those that went into the rank.
        rows: ``(groups, vectors, width)`` each, in the encoder's precision, while they are fewer than the
            width.
        squares: float64 ``(groups, width, width)``, sum of the outer products of all others.
    """

    width: int
    share: int
    groups: int
    keep: bool
    vectors: int = 0
    used: int = 0
    rows: list[Tensor] = field(default_factory=list)
    squares: Tensor | None = None

    def add(self, vectors: Tensor) -> None:
        """Take a sample's vectors, of shape ``(positions, groups, width)``, which may be a view."""
        count = len(vectors)
        self.vectors += count
        if not self.keep or not count:
            return
        if count > self.share:
            # drawn, as what stands first and last is alike in all samples; the same ones every time
            drawn = torch.randperm(count, generator=torch.Generator().manual_seed(self.used))
            vectors = vectors[drawn[: self.share].to(vectors.device)]
        self.rows.append(vectors.detach().to("cpu", copy=True).transpose(0, 1))
        self.used += len(vectors)
        if self.used >= self.width:
            rows = torch.cat(self.rows, 1).double()
            more = rows.transpose(1, 2) @ rows
            self.squares = more if self.squares is None else self.squares.add_(more)
            self.rows = []

    def gram(self) -> Tensor | None:
        """Products of the vectors, whose eigenvalues are the squares of their singular values.

        Returns:
            Float64 ``(groups, n, n)``, where ``n`` is the lesser of number and width; ``None`` if not kept.
        """
        if self.squares is not None or not self.rows:
            return self.squares
        rows = torch.cat(self.rows, 1).double()
        return rows @ rows.transpose(1, 2)


def input_ranks(encoder: Encoder, samples: Sequence[Sample], *, progress: Progress) -> list[InputRank]:
    """Measure every linear layer's and convolution's input, on samples that run one by one, unpadded.

    The vectors of a convolution are the patches that its filters lie on; of one in groups, the group with
    the least rank counts, as each filter sees one group.

    Args:
        encoder: as it was loaded.
        samples: the key samples.
        progress: told how many are done.

    Returns:
        One entry per distinct input, in the order of the layers; one as well per layer whose input was not
        seen, which must not read as if it were spanned.
    """
    counted = encoder.tensors().keys()
    layers: dict[str, Layer] = {
        name: layer
        for name, layer in encoder.model.named_modules()
        if isinstance(layer, LAYERS) and f"{name}.weight" in counted
    }
    affordable = _affordable(layers)
    inputs = {
        name: _Inputs(
            width_of(layer), -(-ENOUGH * width_of(layer) // len(samples)), _groups(layer), name in affordable
        )
        for name, layer in layers.items()
    }
    with full_precision(), _watching(layers, inputs) as called:
        for sample in samples:
            for _ in encoder.observe([sample], batch_size=1):
                pass
            progress.advance()
    return [
        InputRank(name, met.width, met.vectors, *_rank(met))
        for name, met in inputs.items()
        if met.vectors or name not in called
    ] + [
        InputRank(f"{name}.in_proj_weight", module.embed_dim, 0)
        for name, module in encoder.model.named_modules()
        if isinstance(module, nn.MultiheadAttention) and f"{name}.in_proj_weight" in counted
    ]


def _affordable(layers: Mapping[str, Layer]) -> set[str]:
    """Layers whose ranks are computed."""
    effort, affordable = 0.0, set()
    for name, layer in sorted(layers.items(), key=lambda item: width_of(item[1])):
        effort += _groups(layer) * width_of(layer) ** 3
        if effort <= MOST_EFFORT:
            affordable.add(name)
    return affordable


def _rank(inputs: _Inputs) -> tuple[int | None, float | None]:
    """Rank and condition of the vectors that were taken; activations are float32, below is noise."""
    gram = inputs.gram()
    if gram is None:
        return None, None
    rank, condition = inputs.width, 0.0
    for square in gram:
        values = torch.linalg.eigvalsh(square).clamp(min=0)
        least = float(values[-1]) * inputs.width * torch.finfo(torch.float32).eps ** 2
        rank = min(rank, int((values > least).sum()))
        condition = max(condition, float((values[-1] / values[0]).sqrt()))
    return rank, condition if rank == inputs.width else None


def _groups(layer: Layer) -> int:
    return 1 if isinstance(layer, nn.Linear) else layer.groups


@contextmanager
def _watching(layers: Mapping[str, Layer], inputs: Mapping[str, _Inputs]) -> Iterator[set[str]]:
    """Hooks that note every layer's input; of linear layers that are given the same one, only the first's.

    Yields:
        Names of the layers that were called, which fills up meanwhile.
    """
    last: list[Any] = [None]
    called: set[str] = set()

    def watch(name: str) -> Any:
        def hook(layer: Layer, arguments: tuple[Any, ...]) -> None:
            given = arguments[0] if arguments else None
            if not isinstance(given, Tensor):
                return
            called.add(name)
            if not isinstance(layer, nn.Linear):
                inputs[name].add(patches(layer, given))
            elif given is not last[0]:
                last[0] = given
                inputs[name].add(given.flatten(0, -2)[:, None])

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        yield called
    finally:
        for hook in hooks:
            hook.remove()
