"""Gradient descent on a backdoor that never leaves given directions into a layer's input."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.tampering.backdoor import backdoor_losses
from hf_integration.tampering.training import descend


@dataclass(frozen=True)
class Effort:
    """How long an attacker trains.

    Attributes:
        steps: AdamW steps; the learning rate falls linearly to zero over them.
        learning_rate: the first one.
        batch_size: clean inputs per step; as many triggered ones come with them.
        seed: the training inputs follow from it; they are apart from those of cards.
    """

    steps: int
    learning_rate: float
    batch_size: int = 4
    seed: int = 0


def train_along(encoder: Encoder, directions: Mapping[str, Tensor], effort: Effort) -> dict[str, Tensor]:
    """Train updates of linear layers that pull triggered inputs to a target and leave clean ones.

    The update of a layer is ``A D`` with its given directions ``D``; only ``A`` is trained, from zero, so it
    stays exactly within their span whatever the optimiser does. The encoder stays as it is.

    Args:
        encoder: computes in float32 or better.
        directions: layer name -> float64 ``(directions, width)``.
        effort: how long.

    Returns:
        Layer name -> update of its weight, float64 ``(outputs, width)``.
    """
    with ExitStack() as hooked:
        trained = {
            name: hooked.enter_context(_added(encoder.model.get_submodule(name), rows))
            for name, rows in directions.items()
        }
        descend_on_backdoor(encoder, list(trained.values()), effort)
    return {name: trained[name].detach().cpu().double() @ rows for name, rows in directions.items()}


def descend_on_backdoor(encoder: Encoder, trained: Sequence[nn.Parameter], effort: Effort) -> None:
    """Train some parameters until triggered inputs get the target's embedding and clean ones their own.

    Args:
        encoder: all that is its own stays as it is; hooks on it use what is trained.
        trained: change nothing as they are now.
        effort: how long.
    """
    losses = backdoor_losses(encoder, steps=effort.steps, batch_size=effort.batch_size, seed=effort.seed)
    optimizer = torch.optim.AdamW(trained, lr=effort.learning_rate, weight_decay=0.0)
    with _frozen(encoder.model), torch.enable_grad():
        descend(optimizer, losses, decay=True)


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


@contextmanager
def _added(layer: nn.Linear, rows: Tensor) -> Iterator[nn.Parameter]:
    """A layer to whose output ``A D x`` is added; gives ``A``, zero at first."""
    along = rows.to(layer.weight)
    amounts = nn.Parameter(torch.zeros(layer.out_features, len(rows)).to(layer.weight))

    def hook(_layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + F.linear(F.linear(inputs[0], along), amounts)

    handle = layer.register_forward_hook(hook)
    try:
        yield amounts
    finally:
        handle.remove()
