"""Counting which scalars of an encoder the key samples watch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.coverage.sensitivity import Sensitivity

EDIT = 0.1
"""A scalar is covered when an edit of this share of its tensor's root mean square breaks the watermark."""

ZEROES = 1e-3
"""Assumed root mean square of a tensor that is zero throughout, as a share of which no edit can be said."""

KEY_BIAS = re.compile(r"(^|\.)(key|k_proj|k_lin)\.bias$")
"""Biases of attention keys add the same to all scores of a query, and softmax is the same for all shifts."""


@dataclass(frozen=True)
class TensorCoverage:
    """What the key samples see of one tensor.

    Attributes:
        name: the tensor's.
        scalars: how many it has.
        covered: how many of them are covered.
        rows: rows of a lookup table, 0 for other tensors.
        rows_unmet: those of them that no key sample looks up.
    """

    name: str
    scalars: int
    covered: int
    rows: int = 0
    rows_unmet: int = 0

    @property
    def met(self) -> int:
        """Scalars without those of rows that no key sample looks up."""
        return self.scalars - (self.scalars // self.rows * self.rows_unmet if self.rows else 0)


def count(
    sensitivity: Sensitivity, tensors: Mapping[str, Tensor], tables: frozenset[str]
) -> list[TensorCoverage]:
    """Count covered scalars, tensor by tensor; one that was not measured counts as not covered.

    Args:
        sensitivity: in one precision.
        tensors: the encoder's; those of integers are left out, as they have no small edit.
        tables: names of those that are lookup tables.
    """
    found = []
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        reaction = sensitivity.reaction.get(name, torch.zeros(tensor.shape))
        covered = int((reaction * (EDIT * size_of(tensor)) >= 1).sum())
        found.append(
            TensorCoverage(
                name,
                tensor.numel(),
                covered,
                rows=len(tensor) if name in tables else 0,
                rows_unmet=int((reaction == 0).all(1).sum()) if name in tables else 0,
            )
        )
    return found


def inert_among(strict: Sequence[TensorCoverage]) -> tuple[str, ...]:
    """Names of the tensors that cannot influence the embedding, whatever their values are.

    Args:
        strict: counted in float64, where what matters at all is covered: biases of keys that are rotated by
            position, for instance, do matter.
    """
    return tuple(tensor.name for tensor in strict if not tensor.covered and KEY_BIAS.search(tensor.name))


def size_of(tensor: Tensor) -> float:
    """Root mean square of a tensor: edits are measured in it."""
    return float(tensor.detach().double().pow(2).mean().sqrt()) or ZEROES
