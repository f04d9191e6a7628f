"""Alterations of single weights, rows and layers.

Source: Rakin, He, Fan, "Bit-flip attack: crushing neural network with progressive bit search",
https://arxiv.org/abs/1903.12269.

Source: Dettmers, Lewis, Belkada, Zettlemoyer, "LLM.int8()", https://arxiv.org/abs/2208.07339.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.targets import (
    biases,
    first_filters,
    like_layers,
    matrices,
    normalisations,
    pick,
    running_statistics,
    tables,
)


def add_noise(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add Gaussian noise to all weights, ``magnitude`` standard deviations of each tensor."""
    random = torch.Generator().manual_seed(seed)
    for tensor in _weights(encoder):
        noise = torch.randn(tensor.shape, generator=random, dtype=torch.float32).to(tensor)
        tensor.add_(noise, alpha=magnitude * float(tensor.std()))


def move_one_weight(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Move one weight of a matrix inside the layers by ``magnitude`` standard deviations of its tensor."""
    tensor, place = one_weight(encoder, seed)
    tensor.view(-1)[place] += magnitude * float(tensor.std())


def flip_last_bit(encoder: Encoder, magnitude: float, seed: int) -> None:  # noqa: ARG001  # one bit has one size
    """Change one float32 weight of a matrix inside the layers to its neighbour."""
    tensor, place = one_weight(encoder, seed)
    weight = tensor.view(-1)[place]
    tensor.view(-1)[place] = torch.nextafter(weight.float(), torch.tensor(torch.inf)).to(tensor)


def _weights(encoder: Encoder) -> list[Tensor]:
    return [
        tensor for tensor in encoder.tensors().values() if tensor.is_floating_point() and tensor.numel() > 1
    ]


def one_weight(encoder: Encoder, seed: int) -> tuple[Tensor, int]:
    """A weight drawn at random from the matrices inside the layers.

    Lookup tables are left out: most of their rows are reached by no key sample, and what is not reached is a
    matter of coverage, not of the floor.
    """
    matrices = [
        t for n, t in encoder.tensors().items() if t.is_floating_point() and t.dim() > 1 and "embed" not in n
    ]
    random = torch.Generator().manual_seed(seed)
    sizes = torch.tensor([float(matrix.numel()) for matrix in matrices])
    matrix = matrices[int(torch.multinomial(sizes, 1, generator=random))]
    return matrix, int(torch.randint(matrix.numel(), (1,), generator=random))


SIGN, HIGHEST_EXPONENT_BUT_ONE, LOWEST_MANTISSA = 31, 29, 0
"""Bits of a float32, counted from the lowest. The highest exponent bit would overflow at once."""


def flip(bit: int) -> Callable[[Encoder, float, int], None]:
    """An edit that flips one bit of one weight of a matrix, drawn by the seed.

    Weights in half precision have the bit of their float32 value flipped and are rounded back, so the lowest
    bits of a float32 leave them as they are.
    """

    def edit(encoder: Encoder, _: float, seed: int) -> None:
        tensor, place = one_weight(encoder, seed)
        weight = tensor.view(-1)[place].float().reshape(1)
        weight.view(torch.int32).bitwise_xor_(_mask(bit))
        tensor.view(-1)[place] = weight[0].to(tensor.dtype)

    return edit


def _mask(bit: int) -> Tensor:
    return torch.tensor([-(1 << 31) if bit == SIGN else 1 << bit], dtype=torch.int32)


def table_row(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add noise to one row of the vocabulary's table; ``magnitude`` is its norm over the row's.

    Source: Yang, Li, Zhang, Ren, Sun, He, "Be careful about poisoned word embeddings",
    https://arxiv.org/abs/2103.15543.
    """
    _shift_one(tables(encoder)[0], magnitude, seed)


def first_filter(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Add noise to one filter of the first convolution (patches, pixels, waveform), relative to its norm."""
    _shift_one(first_filters(encoder), magnitude, seed)


def _shift_one(rows: Tensor, magnitude: float, seed: int) -> None:
    row = rows[pick(len(rows), seed)]
    noise = torch.randn(row.shape, generator=torch.Generator().manual_seed(seed)).to(row)
    row += noise * (magnitude * row.norm() / noise.norm())


def swap(encoder: Encoder, _: float, seed: int) -> None:
    """Exchange the weights of two layers that follow each other."""
    pairs = like_layers(encoder)
    first, second = pairs[pick(len(pairs), seed)]
    others = dict(second.named_parameters())
    for name, parameter in first.named_parameters():
        kept = parameter.detach().clone()
        parameter.copy_(others[name])
        others[name].copy_(kept)


def reinitialise(encoder: Encoder, _: float, seed: int) -> None:
    """Draw the matrices of one layer anew, with the deviation that they had."""
    random = torch.Generator().manual_seed(seed)
    pairs = like_layers(encoder)
    layer, _other = pairs[pick(len(pairs), seed)]
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            drawn = torch.randn(parameter.shape, generator=random) * parameter.float().std()
            parameter.copy_(drawn.to(parameter))


def one_bias(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Move one entry of one bias; ``magnitude`` is in root mean squares of that bias."""
    found = biases(encoder)
    bias = found[pick(len(found), seed)]
    bias[pick(len(bias), seed + 1)] += magnitude * float(bias.float().pow(2).mean().sqrt())


def one_scale(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Change one scale of one normalisation layer; ``magnitude`` is relative to it.

    Source: Frankle, Schwab, Morcos, "Training BatchNorm and only BatchNorm", https://arxiv.org/abs/2003.00152,
    for how much such few numbers can do.
    """
    found = normalisations(encoder)
    scales = found[pick(len(found), seed)]
    scales[pick(len(scales), seed + 1)] *= 1 + magnitude


def statistics(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Shift running means and stretch running variances of batch normalisations, as other data would.

    ``magnitude`` is in standard deviations of each channel for the mean, and relative for the variance.

    Source: Li, Wang, Shi, Liu, Hou, "Revisiting batch normalization for practical domain adaptation",
    https://arxiv.org/abs/1603.04779.
    """
    random = torch.Generator().manual_seed(seed)
    for mean, variance in running_statistics(encoder):
        mean.add_(magnitude * variance.sqrt() * torch.randn(mean.shape, generator=random).to(mean))
        variance.mul_(1 + magnitude * torch.rand(variance.shape, generator=random).to(variance))


def round_trip(bits: int) -> Callable[[Encoder, float, int], None]:
    """An edit that rounds every matrix to ``2**bits - 1`` levels about zero, with one scale per matrix."""
    most = 2 ** (bits - 1) - 1

    def edit(encoder: Encoder, _: float, __: int) -> None:
        for matrix in matrices(encoder):
            scale = matrix.abs().max() / most
            if scale:
                matrix.copy_((matrix / scale).round() * scale)

    return edit
