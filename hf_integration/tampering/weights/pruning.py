"""Pruning: weights set to zero, the smallest ones or a whole unit at a time."""

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.selection import inner_matrices, matrices, pick


def by_magnitude(encoder: Encoder, magnitude: float, _: int) -> None:
    """Set the smallest weights of every matrix to zero; ``magnitude`` is the share of them.

    Source: Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural networks",
    https://arxiv.org/abs/1506.02626.
    """
    for matrix in matrices(encoder):
        count = round(magnitude * matrix.numel())
        if count:
            threshold = matrix.abs().flatten().float().kthvalue(count).values
            matrix[matrix.abs() <= threshold] = 0


def units(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Set output units (neurons, channels, rows of a head) of one matrix to zero, ``magnitude`` of them.

    Source: Li, Kadav, Durdanovic, Samet, Graf, "Pruning filters for efficient ConvNets",
    https://arxiv.org/abs/1608.08710.
    """
    found = inner_matrices(encoder)
    matrix = found[pick(len(found), seed)]
    first = pick(len(matrix), seed + 1)
    matrix[first : first + int(magnitude)] = 0
