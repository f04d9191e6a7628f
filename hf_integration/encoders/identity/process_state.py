"""What of this process changes what an encoder gives its users, though no tensor and no setting differs."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.identity.in_process import Finding

_BATCH_STATISTICS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
# Parts of the names under which modules and configurations keep what is drawn at random in training.
_RANDOM = ("drop", "mask_time_prob", "mask_feature_prob", "jitter", "noise")
_OF_HEADS = ("classifier", "summary")


def process_state(model: nn.Module) -> tuple[Finding, ...]:
    """Findings besides code, none for a module in evaluation mode in a plain process.

    Args:
        model: the encoder's modules, as its users call them.
    """
    found = []
    if active := list(_random(model)):
        more = f" and {len(active) - 1} more" if len(active) > 1 else ""
        found.append(Finding(f"training mode with {active[0]}{more}", "call its eval() before it is used"))
    device = next((parameter.device.type for parameter in model.parameters()), "cpu")
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = str(torch.get_autocast_dtype(device)).removeprefix("torch.")
        found.append(
            Finding(
                f"autocast to {dtype} around the call, which this check switched off",
                "check the encoder, and use it, outside torch.autocast",
            )
        )
    if torch.get_default_dtype() != torch.float32:  # harmless by itself: the watermark sees what it changes
        default = str(torch.get_default_dtype()).removeprefix("torch.")
        found.append(
            Finding(f"{default} is the default dtype, in which a module may make tensors as it runs")
        )
    functions = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # torch's
    for mode in (*functions, *_get_current_dispatch_mode_stack()):
        if type(mode) is DeviceContext:  # harmless by itself as well
            found.append(
                Finding(f"{mode.device} is the default device, on which a module may make tensors as it runs")
            )
        else:
            what = f"the torch mode {type(mode).__name__} around the call, which may change every operation"
            found.append(Finding(what, "check the encoder, and use it, outside of it"))
    return tuple(found)


def refuse_unreadable(name: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Refuse tensors that hold no values, on the meta device or offloaded, and those that are not laid out.

    Raises:
        EncoderError: there are some.
    """
    tensors = list(tensors)
    if sparse := [key for key, tensor in tensors if tensor.layout != torch.strided]:
        raise EncoderError(
            f"{name}: {len(sparse)} tensors are sparse, which cannot be compared, first {sparse[0]}",
            remedy="make them dense, with to_dense(), before the encoder is checked",
        )
    absent = [key for key, tensor in tensors if tensor.is_meta]
    if absent:
        raise EncoderError(
            f"{name}: {len(absent)} tensors hold no values (meta device, or offloaded), first {absent[0]}",
            remedy="check its folder, which needs little memory, or load the whole model into memory",
        )


def _random(model: nn.Module) -> Iterator[str]:
    """Modules in training mode that draw at random, or normalise by the batch, in words."""
    for name, module in model.named_modules():
        if not module.training:
            continue
        place = name.removeprefix("model").removeprefix(".") or "the model"
        if isinstance(module, _BATCH_STATISTICS):
            yield f"statistics of the batch on {place}"
        elif isinstance(module, nn.modules.dropout._DropoutNd):
            if module.p > 0:
                yield f"active dropout on {place}"
        elif any(_drawn(key, value) for key, value in {**_configured(module), **vars(module)}.items()):
            yield f"active dropout on {place}"


def _configured(module: nn.Module) -> Mapping[str, object]:
    """Settings of the model itself: some layers read theirs from its configuration as they run."""
    config = vars(module).get("config")
    return {} if config is None else vars(config)


def _drawn(key: str, value: object) -> bool:
    """Whether a setting is a probability, above nothing, of something drawn at random in training."""
    named = any(part in key for part in _RANDOM) and not any(part in key for part in _OF_HEADS)
    return named and isinstance(value, int | float) and not isinstance(value, bool) and value > 0
