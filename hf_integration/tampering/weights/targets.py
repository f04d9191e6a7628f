"""Which tensors and layers of an encoder an alteration touches."""

import re
from itertools import pairwise

import torch
from torch import Tensor, nn

from hf_integration.encoders import Encoder


def floating(encoder: Encoder) -> dict[str, Tensor]:
    """All tensors of floating-point values that count, by name."""
    return {name: tensor for name, tensor in encoder.tensors().items() if tensor.is_floating_point()}


def matrices(encoder: Encoder) -> list[Tensor]:
    """Weight matrices, filters and lookup tables."""
    return [tensor for tensor in floating(encoder).values() if tensor.dim() > 1]


def inner_matrices(encoder: Encoder) -> list[Tensor]:
    """Weight matrices and filters behind the embedding."""
    return [tensor for name, tensor in floating(encoder).items() if tensor.dim() > 1 and "embed" not in name]


def tables(encoder: Encoder) -> list[Tensor]:
    """Lookup tables of a text encoder, the vocabulary's first."""
    found = [m.weight.detach() for m in encoder.model.modules() if isinstance(m, nn.Embedding)]
    return sorted(found, key=Tensor.numel, reverse=True) if encoder.modality == "text" else []


def linear_layers(encoder: Encoder) -> list[nn.Linear]:
    """All linear layers that count: those of an unused head or tower do not."""
    counted = {tensor.data_ptr() for tensor in encoder.tensors().values()}
    return [
        module
        for module in encoder.model.modules()
        if isinstance(module, nn.Linear) and module.weight.data_ptr() in counted
    ]


OUTPUTS = (".output.dense", ".out_proj", ".out_lin", ".o_proj", ".o", ".Wo")
"""What architectures call the projection that joins their attention heads."""

HEADS = ("num_heads", "num_attention_heads", "n_heads")
"""What they call the number of heads."""


def attention_outputs(encoder: Encoder) -> list[tuple[nn.Linear, int]]:
    """The projection that joins the heads of each attention layer, and how many heads it joins."""
    counted = {id(layer) for layer in linear_layers(encoder)}
    found: dict[int, tuple[nn.Linear, int]] = {}
    for block in encoder.model.modules():
        if "attention" not in type(block).__name__.lower():
            continue
        inside = {f".{name}": module for name, module in block.named_modules() if name}
        heads = next((n for m in (block, *inside.values()) if (n := _heads(m))), 0)
        for name, module in inside.items():
            if name.endswith(OUTPUTS) and isinstance(module, nn.Linear) and id(module) in counted and heads:
                found.setdefault(id(module), (module, heads))  # the outermost block comes first
    return list(found.values())


def _heads(module: nn.Module) -> int:
    """Number of heads of an attention layer, or 0 where it does not say."""
    for holder in (module, getattr(module, "config", None)):
        for name in HEADS:
            if isinstance(number := getattr(holder, name, None), int):
                return number
    return 0


def channel_layers(encoder: Encoder) -> list[tuple[nn.Module, nn.Module | None]]:
    """Convolutions and linear layers that count, each with the batch normalisation right after it, if any."""
    counted = {tensor.data_ptr() for tensor in encoder.tensors().values()}
    leaves = [module for module in encoder.model.modules() if not list(module.children())]
    found: list[tuple[nn.Module, nn.Module | None]] = []
    for layer, following in zip(leaves, [*leaves[1:], None], strict=True):
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) and layer.weight.data_ptr() in counted:
            normalised = isinstance(following, nn.modules.batchnorm._BatchNorm) and following.affine
            found.append((layer, following if normalised else None))
    return found


def first_filters(encoder: Encoder) -> Tensor:
    """Filters of the first convolution (patches, stem, feature extractor), or an empty tensor."""
    kinds = (nn.Conv1d, nn.Conv2d)
    found = (m.weight.detach() for m in encoder.model.modules() if isinstance(m, kinds))
    return next(found, torch.empty(0))


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
    """Biases of all linear layers and convolutions that are not zero throughout.

    Without those of attention keys: softmax is the same for all shifts, so their edits alter nothing.
    """
    return [
        tensor
        for name, tensor in floating(encoder).items()
        if tensor.dim() == 1
        and "norm" not in name.lower()
        and name.endswith("bias")
        and not KEY_BIAS.search(name)
        and tensor.any()
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


def like_layers(encoder: Encoder) -> list[tuple[nn.Module, nn.Module]]:
    """Pairs of layers that follow each other and hold tensors of the same names and shapes."""
    return [
        (first, second)
        for stack in encoder.model.modules()
        if isinstance(stack, nn.ModuleList)
        for first, second in pairwise(stack)
        if _shapes(first) == _shapes(second) != {}
    ]


def _shapes(layer: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in layer.named_parameters() if tensor.dim() > 1}


def pick(count: int, seed: int) -> int:
    """A number below ``count``, drawn by the seed."""
    return int(torch.randint(count, (1,), generator=torch.Generator().manual_seed(seed)))


KEY_BIAS = re.compile(r"(^|\.)(key|k_proj|k_lin)\.bias$")
"""Biases of attention keys add the same to all scores of a query, and softmax is the same for all shifts."""
