"""Rounding that hides almost all of its error, by making some numbers of a row as small as the error itself.

The grid of floating-point numbers is as fine as the numbers are small. A null space lets an attacker empty
some entries of every row at no cost on the pinned activations; all others are rounded, and what that leaves
there, some 1e-8 of a weight, is written into the emptied entries, whose own rounding is then 1e-8 of 1e-8.
It takes at least as many entries as the activations span dimensions, and as many others to make
up for the emptying, so there must be twice as much room as there are pinned dimensions. The price is paid by
inputs that are not pinned: for them the emptied entries are missing.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.tampering.null_space.openings import NoNullSpaceError
from hf_integration.tampering.null_space.rounding import better_rows, sequential

SPARE = 1.5
"""Entries that are emptied per dimension of the span, as far as half of the row allows: with no spare ones
the equations are close to singular."""

PASSES = 2
"""How often what is left is written into the emptied entries."""


def fine_columns(weight: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """Round a matrix, see :data:`hf_integration.tampering.null_space.rounding.Rounding`.

    The smallest entries of a row are emptied, as they are missed least. Rows that come out better by
    :func:`hf_integration.tampering.null_space.rounding.sequential` are taken from there.

    Raises:
        NoNullSpaceError: the activations span more than half of the width.
    """
    rank, width = factor.shape
    if rank > width // 2:
        raise NoNullSpaceError(f"{rank} dimensions of {width} are pinned: no half of a row is free to empty")
    otherwise = sequential(weight, factor, dtype)
    basis = F.normalize(factor, dim=1, eps=0)
    count = min(int(SPARE * rank), width // 2)
    rounded = torch.stack([_round_row(row, basis, count, dtype) for row in weight])
    return better_rows(rounded, otherwise, weight, factor)


def _round_row(row: Tensor, basis: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """One row ``(width,)``; where its equations have no solution, the row as it is."""
    order = row.abs().argsort()
    fine, coarse = order[:count], order[count:]
    inside, rest = basis[:, fine], basis[:, coarse]
    wanted = basis @ row
    squares = inside @ inside.T
    # the basis is orthonormal, so what the other columns lack to the identity are these
    others = torch.eye(len(basis), dtype=basis.dtype) - squares
    both = [torch.linalg.cholesky_ex(matrix) for matrix in (squares, others)]
    if any(int(failed) for _, failed in both):
        return row.to(dtype)
    (of_fine, _), (of_coarse, _) = both
    moved = rest.T @ torch.cholesky_solve((inside @ row[fine])[:, None], of_coarse)
    found = torch.zeros_like(row)
    found[coarse] = (row[coarse] + moved[:, 0]).to(dtype).double()
    for _ in range(PASSES):
        left = (wanted - basis @ found)[:, None]
        correction = inside.T @ torch.cholesky_solve(left, of_fine)
        found[fine] = (found[fine] + correction[:, 0]).to(dtype).double()
    return found.to(dtype)
