"""Finding code that was put onto a model in this process: hooks, patched functions, classes of one's own."""

import functools
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from hf_integration.encoders.identity.provenance import (
    departures,
    foreign_kernels,
    is_foreign,
    is_of_library,
    patched_in_class,
    patched_in_module,
)

HOOKS = {"_forward_hooks": "forward hook", "_forward_pre_hooks": "forward pre-hook"}
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")
# What libraries replace on a module to warn, or to keep its mode: none of it computes.
_NOT_COMPUTING = frozenset(
    {"to", "cpu", "cuda", "xpu", "npu", "mlu", "sdaa", "musa", "half", "float", "double", "bfloat16"}
    | {"train", "eval"}
)
# Hooks of accelerate that move tensors between devices, and nothing else.
_MOVING = frozenset({"AlignDevicesHook", "CpuOffload", "SequentialHook"})
_OF_TORCH = ("torch", "torch.nn.functional")
_OF_MODELS = ("transformers.", "tokenizers", "torch.nn.modules.")
MODEL = "the model"
TAKE_OFF = "take it off, or load the encoder in a fresh process"


@dataclass(frozen=True)
class Finding:
    """Something of this process that changes, or may change, what an encoder gives its users.

    Attributes:
        what: in words.
        remedy: what makes the encoder pass without it; empty where it is known to leave embeddings alone.
    """

    what: str
    remedy: str = ""


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


def code_anywhere(
    encoder: nn.Module, model: nn.Module, built: Mapping[str, nn.Module], others: Iterable[Any]
) -> Iterator[Finding]:
    """Code that was put onto all that takes part, and modules that were replaced.

    Args:
        encoder: the modules that run.
        model: the whole model that the caller gave, of which these may be a part.
        built: what the model's configuration builds.
        others: the processor, containers and whatever else takes part.
    """
    yield from on_every_module()
    yield from (Finding(what, TAKE_OFF) for what in foreign_kernels(model))
    replaced = list(departures(model, built))
    yield from (Finding(what, TAKE_OFF) for _, what in replaced)
    named, walk = frozenset(id(part) for part, _ in replaced), Walk()
    yield from code_found(encoder, walk=walk, named=named)
    for part in others:
        yield from code_found(part, within=f"the {type(part).__name__}", walk=walk, named=named)


def code_found(
    root: Any, *, within: str = MODEL, walk: Walk | None = None, named: frozenset[int] = frozenset()
) -> tuple[Finding, ...]:
    """Hooks, functions that are set on an object instead of its class, and code of no library.

    Libraries do so too: what is known to move tensors or to compile, and nothing else, has no remedy.

    Args:
        root: a module, a container or a processor; all that is in it is looked at.
        within: what to call it.
        walk: what was looked at before; what is looked at now is added.
        named: ids of what was named already as another than its model's configuration builds.

    Returns:
        One entry per finding, e.g. ``forward hook on encoder.layer.3``.
    """
    found: list[Finding] = []
    walk = walk or Walk()
    for name, item, hidden in participants(root, walk):
        place = _place(name, within)
        if id(item) not in named:
            found += _of_no_library(item, place, walk)
        if isinstance(item, nn.Module):
            found += _on_module(item, place)
        found += _hiding(item, hidden, place)
    return tuple(dict.fromkeys(found))


def _of_no_library(item: Any, place: str, walk: Walk) -> Iterator[Finding]:
    if isinstance(item, FunctionType):
        if is_foreign(item):
            yield Finding(f"{item.__name__}, a function from outside the libraries, on {place}", TAKE_OFF)
    elif not walk.of_library(type(item)):
        yield Finding(f"{type(item).__name__}, a class from outside the libraries, on {place}", TAKE_OFF)
    else:
        yield from (
            Finding(f"patched {what}", TAKE_OFF) for what in patched_in_class(type(item), walk.owners)
        )


def _hiding(item: Any, hidden: Mapping[str, Any], place: str) -> Iterator[Finding]:
    for name, value in hidden.items():
        if isinstance(item, nn.Module) and name in _NOT_COMPUTING and _of_libraries(value):
            continue
        if _own(item, name, value):
            continue
        if name == "forward" and _moves_only(item):
            yield Finding("hooks of accelerate that move tensors between devices")
        elif name == "forward" and "_original_forward" in vars(item):
            unwrap = "give what accelerate's unwrap_model makes of it"
            yield Finding(f"autocast around the forward of {place}, put there by accelerate", unwrap)
        else:
            yield Finding(f"patched {name} on {place}", TAKE_OFF)


def _of_libraries(function: Any, within: frozenset[int] = frozenset()) -> bool:
    """Whether nothing but functions of libraries run in one, and in what it was put around.

    accelerate calls ``to`` of a module before each of its runs.

    Args:
        function: the function.
        within: identities of those around it, as one may hold itself.
    """
    if id(function) in within:
        return True
    if isinstance(function, nn.Module | type):  # whose instances are looked at by themselves
        return is_of_library(function if isinstance(function, type) else type(function))
    plain = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(plain, FunctionType) or is_foreign(plain):
        return False
    held = [cell.cell_contents for cell in plain.__closure__ or () if cell != CellType()]
    return all(_of_libraries(each, within | {id(function)}) for each in held if callable(each))


def _on_module(module: nn.Module, place: str) -> Iterator[Finding]:
    for attribute, kind in HOOKS.items():
        hooks = getattr(module, attribute)
        if hooks and any(not _of_transformers(hook) for hook in hooks.values()):
            yield Finding(f"{kind} on {place}", TAKE_OFF)
    if (compiled := getattr(module, "_compiled_call_impl", None)) is not None:
        own = getattr(compiled, "_torchdynamo_orig_callable", None) == module._call_impl
        yield Finding(f"compiled {place}", "" if own else TAKE_OFF)


def on_every_module() -> tuple[Finding, ...]:
    """Hooks that torch runs on every module of this process, and functions of torch that were replaced."""
    hooks = [
        Finding("forward hook on every module", TAKE_OFF)
        for attribute in GLOBAL_HOOKS
        if any(not _of_transformers(hook) for hook in getattr(torch_module, attribute, {}).values())
    ]
    seen: dict[int, Any] = {}
    patched = [what for module in _OF_TORCH for what in patched_in_module(module, seen)]
    return (*hooks, *(Finding(f"patched {what}", TAKE_OFF) for what in patched))


def in_any_class() -> tuple[Finding, ...]:
    """Functions that were replaced in any class that models and tokenizers of this process may be of."""
    seen: dict[int, Any] = {}
    return tuple(
        Finding(f"patched {what}", TAKE_OFF)
        for name, module in list(sys.modules.items())
        if name.startswith(_OF_MODELS)
        for kind in list(vars(module).values())
        if isinstance(kind, type) and kind.__module__ == name
        for what in patched_in_class(kind, seen)
    )


def in_process_changes(model: nn.Module) -> tuple[str, ...]:
    """All code that was put onto a model, harmless or not, in words."""
    return tuple(finding.what for finding in (*on_every_module(), *code_found(model)))


_HEAD = "head.whole"
"""Where the modules that run hold the model with a head, whose encoder is theirs."""


def _place(name: str, within: str) -> str:
    if within == MODEL and f"{name}.".startswith(f"{_HEAD}."):
        name, within = name.removeprefix(_HEAD).removeprefix("."), "the head"
    if within != MODEL:
        return f"{name} of {within}" if name else within
    return name.removeprefix("model").removeprefix(".") or within


def _own(owner: Any, name: str, value: Any) -> bool:
    # Some versions of transformers patch layers to record hidden states, and put the class's own function
    # back onto the instance.
    original = getattr(type(owner), name, None)
    return getattr(value, "__self__", None) is owner and getattr(value, "__func__", None) is original


def _moves_only(module: nn.Module) -> bool:
    """Whether a forward is accelerate's around the module's own, with hooks that only move tensors."""
    held = vars(module)
    forward = held["forward"]
    return (
        isinstance(forward, functools.partial)
        and forward.func.__module__ == "accelerate.hooks"
        and not is_foreign(forward.func)
        and [id(argument) for argument in forward.args] == [id(module)]
        and _moving(held.get("_hf_hook"))
        and _own(module, "forward", held.get("_old_forward"))
    )


def _moving(hook: Any, around: frozenset[int] = frozenset()) -> bool:
    """Whether a hook is accelerate's own, unaltered, and brings no weights that nobody has looked at.

    The models that it moves away before are walked through like all that a module keeps.

    Args:
        hook: the hook.
        around: identities of those that lead to it, as they may go round in a ring.
    """
    if id(hook) in around:
        return True
    around |= {id(hook)}
    before = getattr(hook, "prev_module_hook", None)
    return (
        type(hook).__name__ in _MOVING
        and _of_accelerate(hook)
        and not getattr(hook, "offload", False)
        and all(_moving(inner, around) for inner in getattr(hook, "hooks", ()))
        and (before is None or (_of_accelerate(before) and _moving(before.hook, around)))
    )


def _of_accelerate(item: Any) -> bool:
    kind = type(item)
    patched = any(patched_in_class(kind, {})) or any(hidden_functions(item))
    return is_of_library(kind, "accelerate") and not patched


def _of_transformers(hook: object) -> bool:
    # It records hidden states by hooks of its own, which stay on the layers after the first such call.
    return str(getattr(hook, "__globals__", {}).get("__name__")).startswith("transformers.")


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
    elif isinstance(owner, Mapping):
        if not _ATOMS.issuperset(map(type, owner.values())):  # a vocabulary has nothing but numbers
            yield from ((str(key), part) for key, part in owner.items() if type(part) not in _ATOMS)
    elif isinstance(owner, list | tuple | set | frozenset):
        yield from ((str(at), part) for at, part in enumerate(owner) if type(part) not in _ATOMS)
    if not _compiles(owner) and not isinstance(owner, FunctionType):
        for name, part in _attributes(owner).items():
            if type(part) not in _ATOMS and name not in hidden and name not in _NOT_WALKED:
                yield name, part


def _attributes(owner: Any) -> dict[str, Any]:
    held = getattr(owner, "__dict__", {})
    return held if isinstance(held, dict) else {}


def _compiles(owner: Any) -> bool:
    """Whether it is what torch.compile gives: it makes functions of its own of what it holds."""
    return type(owner).__name__ == "OptimizedModule" and is_of_library(type(owner), "torch")
