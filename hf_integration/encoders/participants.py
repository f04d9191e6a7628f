"""Every Python object that takes part in what a model, a container or a processor gives, with its place."""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hf_integration.encoders.provenance import is_of_library

_ATOMS = frozenset(
    {type(None), bool, int, float, complex, str, bytes, np.ndarray, Tensor, nn.Parameter, nn.Buffer}
    | {torch.dtype, torch.device, torch.Size, range, slice}
)
# What torch and accelerate keep in a module, hooks among it, which are looked at by themselves; and what
# describes a model.
_NOT_COMPUTING = frozenset(
    {*vars(nn.Module()), "_compiled_call_impl", "_hf_hook", "_old_forward", "model_card_data"}
) - {"_parameters", "_buffers"}


def participants(root: Any, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """Walk through modules and all that is kept in their attributes, the outer before the inner.

    What is of no library is not walked into, and functions that hide one of their object's class are left to
    whoever looks at the object.

    Args:
        root: where to begin.
        seen: what was walked through before, by id; what is walked through now is added.
    """
    pending: list[tuple[str, Any]] = [("", root)]
    while pending:
        place, found = pending.pop()
        if id(found) in seen:
            continue
        seen[id(found)] = found
        if not isinstance(found, type | ModuleType | Enum):
            yield place, found
        if is_of_library(type(found)) and not isinstance(found, type | ModuleType | Enum):
            pending += reversed([(f"{place}.{name}".strip("."), part) for name, part in _parts(found)])


def hidden_functions(owner: Any) -> Iterator[tuple[str, Any]]:
    """Functions, or parts, of an object's class that are hidden by others of the object itself, by name."""
    if _compiles(owner):
        return
    registered = owner._modules.keys() | owner._parameters.keys() if isinstance(owner, nn.Module) else ()
    for name, value in _attributes(owner).items():
        of_class = getattr(type(owner), name, None)
        hides = callable(value) and callable(of_class) and not isinstance(of_class, type)
        if name in registered or hides:
            yield name, value


def _parts(owner: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(owner, nn.Module):
        yield from ((name, part) for name, part in owner._modules.items() if part is not None)
    if isinstance(owner, MethodType):
        yield from (("__self__", owner.__self__), ("__func__", owner.__func__))
    elif isinstance(owner, partial):
        yield from (("func", owner.func), ("args", owner.args), ("keywords", owner.keywords))
    elif isinstance(owner, Mapping):
        yield from ((str(key), part) for key, part in owner.items() if type(part) not in _ATOMS)
    elif isinstance(owner, list | tuple | set | frozenset):
        yield from ((str(at), part) for at, part in enumerate(owner) if type(part) not in _ATOMS)
    if not _compiles(owner) and not isinstance(owner, FunctionType):
        hidden = {name for name, _ in hidden_functions(owner)}
        for name, part in _attributes(owner).items():
            if type(part) not in _ATOMS and name not in hidden and name not in _NOT_COMPUTING:
                yield name, part


def _attributes(owner: Any) -> dict[str, Any]:
    held = getattr(owner, "__dict__", {})
    return held if isinstance(held, dict) else {}


def _compiles(owner: Any) -> bool:
    """Whether it is what torch.compile gives: it makes functions of its own of what it holds."""
    return type(owner).__name__ == "OptimizedModule" and is_of_library(type(owner), "torch")
