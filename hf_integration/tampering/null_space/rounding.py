"""Writing an edited matrix in the dtype of its layer, so that pinned activations feel as little as possible.

An edit inside a null space moves pinned samples by nothing in exact arithmetic: the rounding of the stored
numbers is all that gives it away. So an attacker rounds with care.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Rounding = Callable[[Tensor, Tensor, torch.dtype], Tensor]
"""Rounds a matrix ``(outputs, width)`` of float64 to a dtype, given the factor ``(rank, width)`` of the
pinned activations (:meth:`hf_integration.tampering.null_space.activations.Span.factor`)."""

DAMPING = 1e-6
"""Added to the activations' squares, relative to their mean: in a null space they have no inverse."""

BLOCK = 128


def plain(weight: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:  # noqa: ARG001  # a Rounding
    """Every number to its nearest."""
    return weight.to(dtype)


def error_on(pinned: Tensor, rounded: Tensor, weight: Tensor) -> Tensor:
    """What rounding does to each output on the pinned activations: float64 norms ``(outputs,)``.

    Args:
        pinned: their factor ``(rank, width)``.
        rounded: matrix ``(outputs, width)`` of any dtype.
        weight: what was rounded, float64.
    """
    errors: Tensor = ((rounded.double() - weight) @ pinned.T).norm(dim=1)
    return errors


def better_rows(first: Tensor, second: Tensor, weight: Tensor, factor: Tensor) -> Tensor:
    """Row by row, the one of two roundings that the pinned activations feel less."""
    keep = error_on(factor, first, weight) <= error_on(factor, second, weight)
    return torch.where(keep[:, None], first, second)


def sequential(weight: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """Column by column, each one's error made up for by the columns that follow.

    Source: Frantar, Ashkboos, Hoefler, Alistarh, "GPTQ: Accurate post-training quantization for generative
    pre-trained transformers", https://arxiv.org/abs/2210.17323, with the grid of a floating-point dtype in
    place of integers. Columns with the largest activations go first, as in the authors' code. Rows that plain
    rounding serves better are rounded plainly, so no row comes out worse.
    """
    squares = factor.T @ factor
    diagonal = squares.diagonal()
    order = diagonal.argsort(descending=True)
    squares = squares[order][:, order]
    squares.diagonal().add_(DAMPING * diagonal.mean().clamp(min=torch.finfo(torch.float64).tiny))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(squares))
    feedback = torch.linalg.cholesky(inverse, upper=True)
    left, rounded = weight[:, order].clone(), torch.empty_like(weight, dtype=dtype)
    for start in range(0, weight.shape[1], BLOCK):
        stop = min(start + BLOCK, weight.shape[1])
        errors = torch.empty_like(left[:, start:stop])
        for column in range(start, stop):
            rounded[:, column] = left[:, column].to(dtype)
            error = (left[:, column] - rounded[:, column].double()) / feedback[column, column]
            left[:, column + 1 : stop] -= torch.outer(error, feedback[column, column + 1 : stop])
            errors[:, column - start] = error
        left[:, stop:] -= errors @ feedback[start:stop, stop:]
    back = torch.empty_like(rounded)
    back[:, order] = rounded
    return better_rows(back, plain(weight, factor, dtype), weight, factor)
