"""Room for edits that no key sample feels: rank and condition of the activations at every layer's input.

An edit of a layer's weights whose rows are orthogonal to every activation vector of the key samples changes
none of its outputs on them. There is no such edit where the activations span the whole input, and only a
badly hidden one where they nearly do (the attack of DESIGN's null-space edits; Fang et al., "AlphaEdit",
arXiv 2410.02355, uses the same space to edit without side effects).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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

MOST_EFFORT = 1e11
"""Sum of the third powers of the widths of which ranks are computed, the narrowest first."""

MOST_PARTLY = 4e9
"""Width times the square of the number of vectors, where they are too few to span it and bound the rank by
their number: more is not worth its time."""


@dataclass(frozen=True)
class InputRank:
    """Activations at the input of one linear layer or convolution.

    Attributes:
        layer: its name; layers that share their input are one.
        width: of the input.
        vectors: activation vectors of all key samples; 0 where they were not seen, as the weights go to a
            function that multiplies by itself.
        rank: of a choice of them, as many of each sample; ``None`` where it was not computed, as the input is
            too wide, or as it is much work and they are too few to span it; no more than their number in any
            case.
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

    def add(self, vectors: Tensor, samples: int = 1) -> None:
        """Take the vectors of some samples, ``(positions, groups, width)``, which may be a view."""
        count, share = len(vectors), samples * self.share
        self.vectors += count
        if not self.keep or not count:
            return
        if count > share:
            # drawn, as what stands first and last is alike in all samples; the same ones every time
            drawn = torch.randperm(count, generator=torch.Generator().manual_seed(self.used))
            vectors = vectors[drawn[:share].to(vectors.device)]
        self.rows.append(vectors.detach().to("cpu", copy=True).transpose(0, 1))
        self.used += len(vectors)
        if self.used >= self.width:
            rows = torch.cat(self.rows, 1).double()
            more = rows.transpose(1, 2) @ rows
            # not in place: some samples are seen in inference mode, and others are not
            self.squares = more if self.squares is None else self.squares + more
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


class InputRanks:
    """Every linear layer's and convolution's input, seen while key samples run for whatever reason.

    The vectors of a convolution are the patches that its filters lie on; of one in groups, the group with
    the least rank counts, as each filter sees one group.

    Args:
        encoder: as it was loaded.
        samples: how many key samples there are.
    """

    def __init__(self, encoder: Encoder, samples: int) -> None:
        counted = encoder.tensors().keys()
        self._layers: dict[str, Layer] = {
            name: layer
            for name, layer in encoder.model.named_modules()
            if isinstance(layer, LAYERS) and f"{name}.weight" in counted
        }
        # whose weights go to a function that multiplies by itself
        self._unseen = [
            InputRank(f"{name}.in_proj_weight", module.embed_dim, 0)
            for name, module in encoder.model.named_modules()
            if isinstance(module, nn.MultiheadAttention) and f"{name}.in_proj_weight" in counted
        ]
        affordable = _affordable(self._layers)
        self._inputs = {
            name: _Inputs(
                width_of(layer), -(-ENOUGH * width_of(layer) // samples), _groups(layer), name in affordable
            )
            for name, layer in self._layers.items()
        }
        self._called: set[str] = set()
        self._settled: list[InputRank] | None = None

    def watching(self, model: nn.Module | None = None, *, together: int = 1) -> AbstractContextManager[None]:
        """Take what every layer is given in a block, of samples without padding.

        Args:
            model: a copy that runs instead of the encoder's own model.
            together: most samples in a batch.
        """
        if self._settled is not None:
            raise RuntimeError("these ranks were settled, and take no more")
        layers = self._layers if model is None else {name: model.get_submodule(name) for name in self._layers}
        return _watching(layers, self._inputs, self._called, together)

    def settle(self) -> list[InputRank]:
        """Take no more, and let go of all vectors: they may take as much memory as the weights.

        Returns:
            One entry per distinct input, in the order of the layers, and one per layer whose input was not
            seen, which must not read as if it were spanned.
        """
        if self._settled is None:
            found = []
            for name in list(self._inputs):
                met = self._inputs.pop(name)
                if met.vectors or name not in self._called:
                    found.append(InputRank(name, met.width, met.vectors, *_rank(met)))
            self._settled = found + self._unseen
        return self._settled


def see(ranks: InputRanks, encoder: Encoder, samples: Sequence[Sample], *, progress: Progress) -> None:
    """Run samples one by one, and take what every layer is given.

    Args:
        ranks: of this encoder.
        encoder: as it was loaded.
        samples: key samples that have not been seen yet.
        progress: told how many are done.
    """
    with full_precision(), ranks.watching():
        for sample in samples:
            for _ in encoder.observe([sample], batch_size=1):
                pass
            progress.advance()


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
    if inputs.squares is None and inputs.used**2 * inputs.width > MOST_PARTLY:
        return None, None
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
def _watching(
    layers: Mapping[str, Any], inputs: Mapping[str, _Inputs], called: set[str], together: int
) -> Iterator[None]:
    """Hooks that note every layer's input; of linear layers that are given the same one, only the first's.

    Args:
        layers: that run.
        inputs: what is known of each.
        called: names of those that were called, which fills up meanwhile.
        together: most samples in a batch.
    """
    last: list[Any] = [None]

    def watch(name: str) -> Any:
        def hook(layer: Layer, arguments: tuple[Any, ...]) -> None:
            given = arguments[0] if arguments else None
            if not isinstance(given, Tensor):
                return
            called.add(name)
            if not isinstance(layer, nn.Linear):
                inputs[name].add(patches(layer, given.detach()), together)
            elif given is not last[0]:
                last[0] = given
                inputs[name].add(given.detach().flatten(0, -2)[:, None], together)

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
