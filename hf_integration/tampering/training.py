"""Training a copy in place, as the alterations that need gradients do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders import Encoder

Loss = Callable[[], Tensor]
"""Runs the model on one batch and gives a scalar to descend on."""

PACE: dict[Modality, tuple[int, int]] = {"text": (6, 4), "image": (6, 4), "audio": (4, 2)}
"""Steps and inputs per step: few, as a floor takes half a dozen trainings; a recording costs the most."""


@contextmanager
def trainable(encoder: Encoder) -> Iterator[list[nn.Parameter]]:
    """Make matrices and filters trainable, in float32 at least; then round everything to its own dtype.

    Biases, normalisations and buffers (running statistics) come out bit for bit as they went in: a saved copy
    finds tensors again by their values, and few steps gain little from them.

    Args:
        encoder: trained in place; it is left in evaluation mode, without gradients.

    Yields:
        The parameters with two and more dimensions.
    """
    model = encoder.model
    dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    wide = torch.promote_types(next(iter(dtypes.values()), torch.float32), torch.float32)
    model.to(wide).eval().requires_grad_(False)
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    for parameter in weights:
        parameter.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield weights
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(False)
            parameter.grad = None
            parameter.data = parameter.data.to(dtypes[name])
        for name, buffer in buffers.items():
            model.get_buffer(name).data = buffer


def descend(
    optimizer: torch.optim.Optimizer,
    losses: Sequence[Loss],
    *,
    decay: bool = False,
    progress: Progress | None = None,
) -> None:
    """One step for each loss, in order.

    Args:
        optimizer: of the parameters that :func:`trainable` gave.
        losses: one per step.
        decay: let the learning rate fall linearly, to reach zero after the last step.
        progress: advanced by one per step.
    """
    progress = progress or Silent()
    rates = [group["lr"] for group in optimizer.param_groups]
    for place, loss in enumerate(losses):
        if decay:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * (1 - place / len(losses))
        optimizer.zero_grad()
        torch.autograd.backward(loss())
        optimizer.step()
        progress.advance()
