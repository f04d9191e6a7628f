"""Walking through all that takes part in an encoder: modules, and whatever they keep in their attributes."""

import gc
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from types import FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hf_integration.base.errors import ENDING
from hf_integration.encoders.identity.provenance import is_of_library

_ATOMS = frozenset(
    {type(None), bool, int, float, complex, str, bytes, np.ndarray, Tensor, nn.Parameter, nn.Buffer}
    | {torch.dtype, torch.device, torch.Size, range, slice}
    | {logging.Logger, logging.RootLogger}  # from one all others of the process are reached
)
# What torch keeps in a module, hooks among it, and accelerate's forward, which are looked at by themselves;
# and what describes a model.
_NOT_WALKED = frozenset({*vars(nn.Module()), "_compiled_call_impl", "_old_forward", "model_card_data"}) - {
    "_parameters",
    "_buffers",
}


@dataclass
class Walk:
    """What was looked at while looking for code, each once; of one check only, as everything can change.

    Attributes:
        objects: by identity; being kept here, none of them makes room for another.
        owners: classes and modules of which every function was looked at, likewise. They are not among the
            objects: being held by one is no reason to leave out what they compute.
        libraries: whether a class is of a library.
    """

    objects: dict[int, Any] = field(default_factory=dict)
    owners: dict[int, Any] = field(default_factory=dict)
    libraries: dict[type, bool] = field(default_factory=dict)

    def of_library(self, kind: type) -> bool:
        """See :func:`is_of_library`."""
        if kind not in self.libraries:
            self.libraries[kind] = is_of_library(kind)
        return self.libraries[kind]


def participants(root: Any, walk: Walk) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Walk through modules and all that is kept in their attributes, the outer before the inner.

    What is of no library is not walked into, and functions that hide one of their object's class are left to
    whoever looks at the object.

    Args:
        root: where to begin.
        walk: what was walked through before; what is walked through now is added.

    Yields:
        Where something is, the thing, and its :func:`hidden_functions`.
    """
    pending: list[tuple[str, Any]] = [("", root)]
    while pending:
        place, found = pending.pop()
        if id(found) in walk.objects or isinstance(found, type | ModuleType | Enum):
            continue
        walk.objects[id(found)] = found
        hidden = hidden_functions(found)
        yield place, found, hidden
        if walk.of_library(type(found)):
            pending += reversed(
                [(f"{place}.{name}".strip("."), part) for name, part in _parts(found, hidden)]
            )


def hidden_functions(owner: Any) -> dict[str, Any]:
    """Functions, or parts, of an object's class that are hidden by others of the object itself, by name."""
    if _compiles(owner):
        return {}
    is_module, kind = isinstance(owner, nn.Module), type(owner)
    return {
        name: value
        for name, value in _attributes(owner).items()
        if (is_module and (name in owner._modules or name in owner._parameters or name in owner._buffers))
        or (callable(value) and _is_function(getattr(kind, name, None)))
    }


def _is_function(of_class: Any) -> bool:
    return callable(of_class) and not isinstance(of_class, type)


def _parts(owner: Any, hidden: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(owner, nn.Module):
        yield from ((name, part) for name, part in owner._modules.items() if part is not None)
    if isinstance(owner, MethodType):
        yield from (("__self__", owner.__self__), ("__func__", owner.__func__))
    elif isinstance(owner, partial):
        yield from (("func", owner.func), ("args", owner.args), ("keywords", owner.keywords))
    elif isinstance(owner, MappingProxyType):
        yield from (("", part) for part in gc.get_referents(owner))
    elif isinstance(owner, Mapping):
        held = _held(owner)
        if not _ATOMS.issuperset(map(type, held.values())):  # a vocabulary has nothing but numbers
            yield from ((str(key), part) for key, part in held.items() if type(part) not in _ATOMS)
    elif isinstance(owner, list | tuple | set | frozenset):
        yield from ((str(at), part) for at, part in enumerate(owner) if type(part) not in _ATOMS)
    if not _compiles(owner) and not isinstance(owner, FunctionType):
        for name, part in _attributes(owner).items():
            if type(part) not in _ATOMS and name not in hidden and name not in _NOT_WALKED:
                yield name, part


def _held(owner: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """What a mapping gives; of a ``dict`` what it holds, as those of transformers import all its models.

    Others may load what they are asked for, as accelerate's of offloaded weights do, and fail. What they
    would load it from is among their attributes.
    """
    if isinstance(owner, dict):
        return owner if type(owner) is dict else dict(dict.items(owner))
    try:
        return dict(owner.items())
    except ENDING:
        raise
    except Exception:  # whatever they raise
        return {}


def _attributes(owner: Any) -> dict[str, Any]:
    held = getattr(owner, "__dict__", {})
    return held if isinstance(held, dict) else {}


def _compiles(owner: Any) -> bool:
    """Whether it is what torch.compile gives: it makes functions of its own of what it holds."""
    return type(owner).__name__ == "OptimizedModule" and is_of_library(type(owner), "torch")
