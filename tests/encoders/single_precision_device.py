"""A device that has no float64, as Apple's GPUs have none: torch's own device for backends written in Python.

The CPU's kernels compute its tensors. What would be float64 on it raises a TypeError. Import it in a process
of its own, since torch keeps the device for as long as the process lives.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "single"
_BUILT_FROM_OTHERS = ("CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")


class OnDevice(Tensor):
    """A tensor on the device; ``held`` has its values."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: Tensor) -> Any:
        if held.dtype == torch.float64:
            raise TypeError(f"{NAME} tensors cannot be float64")
        made: Any = torch._C._acc.create_empty_tensor(held.shape, held.dtype)
        made.__class__ = cls
        made.held = held.contiguous()
        return made

    def __init__(self, held: Tensor) -> None:
        """Nothing is left to do."""


def _is_here(device: Any) -> bool:
    return device is None or torch.device(device).type == NAME


def _lowered(value: Any) -> Any:
    if isinstance(value, torch.device) and value.type == NAME:
        return torch.device("cpu")
    return value.held if isinstance(value, OnDevice) else value


def _raised(value: Any) -> Any:
    return OnDevice(value) if isinstance(value, Tensor) else value


def _computed(operation: Any, *arguments: Any, **options: Any) -> Any:
    with torch.inference_mode(False):
        if operation is torch.ops.aten._copy_from.default:
            _lowered(arguments[1]).copy_(_lowered(arguments[0]))
            return arguments[1]
        found = operation(*tree_map(_lowered, arguments), **tree_map(_lowered, options))
        for given, described in zip(arguments, operation._schema.arguments, strict=False):
            if described.alias_info is not None and described.alias_info.is_write:
                return given
        stays = (
            _is_here(options.get("device")) and operation is not torch.ops.aten._local_scalar_dense.default
        )
        return tree_map(_raised, found) if stays else found


def _names() -> list[str]:
    """Operations that torch would put together from others, which then met tensors without a memory."""
    return [
        name
        for name in torch._C._dispatch_get_all_op_names()
        if name.startswith("aten::")
        and any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in _BUILT_FROM_OTHERS)
    ]


_setup_privateuseone_for_python_backend(NAME)
_library: Any = torch.library.Library
_others = _library("_", "IMPL")
_others.fallback(_computed, "PrivateUse1")
_composite = _library("aten", "IMPL")
for _name in _names():
    _word, _, _overload = _name.removeprefix("aten::").partition(".")
    _operation = getattr(getattr(torch.ops.aten, _word), _overload or "default")
    _composite.impl(_name.removeprefix("aten::"), partial(_computed, _operation), "PrivateUse1")
