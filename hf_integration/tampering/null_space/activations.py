"""What linear layers get to see: the span of their inputs, in float64, over samples and positions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import Sample

ROUNDING = 4 * torch.finfo(torch.float64).eps
"""Singular values below this, times the largest one and the width, are taken for zero."""


class Span:
    """The span of vectors that come in batches.

    Batches are reduced to a triangle of the same span (QR) whenever twice as many vectors are held as a
    vector has numbers: squaring them into one matrix instead would lose half of the digits.

    Args:
        width: numbers in a vector.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.count = 0
        self.full = False
        self._held: list[Tensor] = []

    def add(self, vectors: Tensor) -> None:
        """Widen the span by float64 vectors, shape ``(count, width)``; once it is full, nothing is held."""
        if self.full or not len(vectors):
            return
        self.count += len(vectors)
        self._held.append(vectors)
        if sum(map(len, self._held)) >= 2 * self.width:
            triangle = torch.linalg.qr(torch.cat(self._held), mode="r").R
            self._held = [triangle]
            self.full = self._rank(torch.linalg.svdvals(triangle)) == self.width
            if self.full:
                self._held = []

    def basis(self) -> Tensor:
        """Orthonormal rows, float64 ``(rank, width)``; of a full span, the identity."""
        return F.normalize(self.factor(), dim=1, eps=0)

    def factor(self) -> Tensor:
        """Rows at right angles, float64 ``(rank, width)``, as long as the vectors reach in their direction.

        A matrix makes rows of the same total size of them as of the vectors: ``|F Mᵀ| = |X Mᵀ|`` (Frobenius).
        Of a full span nothing is held any more: the identity.
        """
        if self.full or not self._held:
            return torch.eye(self.width if self.full else 0, self.width, dtype=torch.float64)
        _, sizes, rows = torch.linalg.svd(torch.cat(self._held), full_matrices=False)
        rank = self._rank(sizes)
        factor: Tensor = sizes[:rank, None] * rows[:rank]
        return factor

    def _rank(self, sizes: Tensor) -> int:
        return int((sizes > sizes[0] * self.width * ROUNDING).sum())


def outside(vectors: Tensor, basis: Tensor) -> Tensor:
    """The components of vectors ``(count, width)`` that are orthogonal to an orthonormal basis."""
    for _ in range(2):  # once more takes away what the first time left by rounding
        vectors = vectors - (vectors @ basis.T) @ basis
    return vectors


def spans(encoder: Encoder, layers: Sequence[str], samples: Sequence[Sample]) -> Mapping[str, Span]:
    """The span of each layer's inputs over all positions of all samples.

    Args:
        encoder: computes in float64.
        layers: names of linear layers in its model.
        samples: run one by one, so nothing is padded: what padding is there reaches no output.

    Returns:
        Layer name -> span; layers that were never called are left out.
    """
    found: dict[str, Span] = {}
    for sample in samples:
        for name, vectors in inputs_of(encoder, layers, sample).items():
            found.setdefault(name, Span(vectors.shape[1])).add(vectors)
    return found


def inputs_of(encoder: Encoder, layers: Sequence[str], sample: Sample) -> Mapping[str, Tensor]:
    """What each layer is called with for one sample: name -> float64 CPU tensor ``(positions, width)``."""
    seen: dict[str, list[Tensor]] = {}
    with _caught(encoder.model, layers, seen):
        encoder.embed([sample], batch_size=1)
    return {name: torch.cat(parts) for name, parts in seen.items()}


@contextmanager
def _caught(model: nn.Module, layers: Sequence[str], seen: dict[str, list[Tensor]]) -> Iterator[None]:
    def catch(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            # cloned out of inference mode
            seen.setdefault(name, []).append(inputs[0].detach().flatten(0, -2).cpu().clone())

        return model.get_submodule(name).register_forward_pre_hook(hook)

    handles = [catch(name) for name in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
