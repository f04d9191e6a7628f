"""What of this process changes what an encoder gives its users, though no tensor and no setting differs."""

from collections.abc import Iterable

import torch
from torch import nn

from hf_integration.errors import EncoderError

TRAINING = "training mode"
"""Beginning of the finding that no watermark can clear: every call of its users gives something else."""

_NORMS = (nn.modules.batchnorm._BatchNorm,)
_PROBABILITIES = (
    "dropout",
    "dropout_prob",
    "p",
    "attention_dropout",
    "hidden_dropout",
    "layerdrop",
    "drop_prob",
)


def process_state(model: nn.Module) -> tuple[str, ...]:
    """Findings in words, none for a module in evaluation mode in a plain process.

    Args:
        model: the encoder's modules, as its users call them.
    """
    found = []
    if active := list(_random(model)):
        more = f" and {len(active) - 1} more" if len(active) > 1 else ""
        found.append(f"{TRAINING} with active {active[0]}{more}: every call gives another embedding")
    device = next((parameter.device.type for parameter in model.parameters()), "cpu")
    if torch.is_autocast_enabled(device):
        dtype = str(torch.get_autocast_dtype(device)).removeprefix("torch.")
        found.append(f"autocast to {dtype} around the call, which this check switched off")
    if torch.get_default_dtype() != torch.float32:
        default = str(torch.get_default_dtype()).removeprefix("torch.")
        found.append(f"{default} is the default dtype, in which a module may make tensors as it runs")
    return tuple(found)


def refuse_absent(name: str, model: nn.Module) -> None:
    """Refuse a module whose tensors hold no values: they are on the meta device, or offloaded.

    Raises:
        EncoderError: it is one.
    """
    absent = [key for key, tensor in (*model.named_parameters(), *model.named_buffers()) if tensor.is_meta]
    if absent:
        raise EncoderError(
            f"{name}: {len(absent)} tensors hold no values (meta device, or offloaded), first {absent[0]}",
            remedy="load the whole model into memory before it is checked",
        )


def _random(model: nn.Module) -> Iterable[str]:
    """Modules in training mode that draw at random or update what they normalise by, in words."""
    for name, module in model.named_modules():
        if not module.training:
            continue
        if isinstance(module, _NORMS):
            yield f"batch normalisation ({name})"
            continue
        for key in _PROBABILITIES:
            value = getattr(module, key, None)
            if isinstance(value, float) and 0 < value <= 1:
                yield f"dropout ({name.removeprefix('model.') or 'the model'})"
                break
