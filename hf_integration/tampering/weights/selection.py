"""Which tensors and layers of an encoder an alteration touches."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hf_integration.encoders import Encoder


def floating(encoder: Encoder) -> dict[str, Tensor]:
    """All tensors of floating-point values that count, by name."""
    return {name: tensor for name, tensor in encoder.tensors().items() if tensor.is_floating_point()}


def matrices(encoder: Encoder) -> dict[str, Tensor]:
    """Weight matrices and filters, lookup tables and the like left out."""
    return {
        name: tensor
        for name, tensor in floating(encoder).items()
        if tensor.dim() > 1 and "embed" not in name and tensor.numel() > 1
    }


def table(encoder: Encoder) -> Tensor | None:
    """The largest lookup table, which in text encoders is the vocabulary's."""
    tables = [module.weight for module in encoder.model.modules() if isinstance(module, nn.Embedding)]
    return max(tables, key=Tensor.numel).detach() if tables else None


def linear_layers(encoder: Encoder) -> list[nn.Linear]:
    """All linear layers."""
    return [module for module in encoder.model.modules() if isinstance(module, nn.Linear)]


def first_filters(encoder: Encoder) -> Tensor | None:
    """Filters of the first convolution: patch embedding, stem, or feature extractor of waveforms."""
    kinds = (nn.Conv1d, nn.Conv2d)
    return next((m.weight.detach() for m in encoder.model.modules() if isinstance(m, kinds)), None)


def normalisation_layers(encoder: Encoder) -> list[nn.Module]:
    """All normalisation layers, of any class that calls itself one."""
    return [
        m for m in encoder.model.modules() if "norm" in type(m).__name__.lower() and not list(m.children())
    ]


def normalisations(encoder: Encoder) -> list[Tensor]:
    """Scales of all normalisation layers."""
    return [
        tensor
        for name, tensor in floating(encoder).items()
        if tensor.dim() == 1 and "norm" in name.lower() and name.endswith("weight")
    ]


def biases(encoder: Encoder) -> list[Tensor]:
    """Biases of all linear layers and convolutions."""
    return [
        tensor
        for name, tensor in floating(encoder).items()
        if tensor.dim() == 1 and "norm" not in name.lower() and name.endswith("bias")
    ]


def running_statistics(encoder: Encoder) -> list[tuple[Tensor, Tensor]]:
    """Running mean and variance of all batch normalisations."""
    return [
        (module.running_mean, module.running_var)
        for module in encoder.model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
    ]


def like_layers(encoder: Encoder) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Pairs of layers that follow each other and hold tensors of the same names and shapes."""
    for stack in encoder.model.modules():
        if isinstance(stack, nn.ModuleList):
            for number in range(len(stack) - 1):
                if _shapes(stack[number]) == _shapes(stack[number + 1]) != {}:
                    yield stack[number], stack[number + 1]


def _shapes(layer: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in layer.named_parameters() if tensor.dim() > 1}


def pick(count: int, seed: int) -> int:
    """A number below ``count``, drawn by the seed."""
    return int(torch.randint(count, (1,), generator=torch.Generator().manual_seed(seed)))
