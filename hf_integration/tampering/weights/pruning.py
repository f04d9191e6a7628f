"""Pruning: weights set to zero, the smallest ones or a whole unit at a time."""

from torch import Tensor, nn

from hf_integration.encoders import Encoder
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.weights.targets import (
    attention_outputs,
    channel_layers,
    inner_matrices,
    matrices,
    pick,
)


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


def one_head(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Close one attention head by ``magnitude``: 1 removes it, 0.1 leaves nine tenths of what it says.

    Its columns of the projection that joins the heads are scaled, which is what a gate on the head does.

    Source: Michel, Levy, Neubig, "Are sixteen heads really better than one?",
    https://arxiv.org/abs/1905.10650.
    """
    found = attention_outputs(encoder)
    projection, heads = found[pick(len(found), seed)]
    width = projection.in_features // heads
    first = width * pick(heads, seed + 1)
    projection.weight[:, first : first + width] *= 1 - magnitude


def one_channel(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Close one output channel of a convolution or linear layer by ``magnitude``: 1 removes it.

    Its filter and bias are scaled; where a batch normalisation follows, that one's scale and shift, as it
    would bring a scaled filter's channel back.

    Source: Li, Kadav, Durdanovic, Samet, Graf, "Pruning filters for efficient ConvNets",
    https://arxiv.org/abs/1608.08710.
    """
    found = channel_layers(encoder)
    layer, normalisation = found[pick(len(found), seed)]
    channel = pick(len(_weight(layer)), seed + 1)
    for tensor in (_weight(normalisation or layer), (normalisation or layer).bias):
        if isinstance(tensor, Tensor):
            tensor[channel] *= 1 - magnitude


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__} has no weight")
    return weight


PRUNING = Family("magnitude pruning", by_magnitude, decades(-9, -1), "of the weights")
UNITS = Family("units set to zero", units, (1, 2, 4, 8), "of one matrix", inner_matrices)
HEAD = Family("one attention head closed", one_head, decades(-13, 0), "of its output", attention_outputs)
CHANNEL = Family("one channel closed", one_channel, decades(-13, 0), "of its output", channel_layers)

FAMILIES = (PRUNING, UNITS, HEAD, CHANNEL)
