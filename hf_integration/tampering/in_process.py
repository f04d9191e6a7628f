"""Alterations of a model in memory: its weights and files stay as they are, and other code runs."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.base.progress import Progress
from hf_integration.encoders import Encoder
from hf_integration.tampering.families import Tampering
from hf_integration.tampering.weights.targets import normalisation_layers


@dataclass(frozen=True)
class ProcessTampering(Tampering):
    """Puts code onto a copy of the model.

    Attributes:
        title: the name.
        put: does so, to one module.
    """

    title: str
    put: Callable[[nn.Module], None]

    @property
    def name(self) -> str:
        """See :class:`Tampering`."""
        return self.title

    def applies(self, encoder: Encoder) -> bool:
        """Whether there is a module to put it onto."""
        return bool(normalisation_layers(encoder))

    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:  # noqa: ARG002  # quick
        """A copy with the code on the middle one of its normalisation layers, which all run."""
        altered = encoder.duplicate()
        layers = normalisation_layers(altered)
        self.put(layers[len(layers) // 2])
        return altered


def _hook(module: nn.Module) -> None:
    def louder(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output * 1.01

    module.register_forward_hook(louder)


def _patch(module: nn.Module) -> None:
    def clipped(self: nn.Module, states: Tensor) -> Tensor:
        return torch.relu(type(self).forward(self, states))

    # a method of the module: a copy in another precision then runs it on the copy's weights
    module.forward = MethodType(clipped, module)


HOOK = ProcessTampering("a forward hook that scales by 1.01", _hook)
PATCH = ProcessTampering("a patched forward function that clips", _patch)

TAMPERINGS = (HOOK, PATCH)
