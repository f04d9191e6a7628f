"""Finding code that was put onto a model in this process: hooks, patched functions, replaced modules."""

import copy
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as torch_module

HOOKS = {"_forward_hooks": "forward hook", "_forward_pre_hooks": "forward pre-hook"}
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")
# Of what every module inherits only these compute; libraries replace others (``to``, ``cuda``) to warn.
_NOT_COMPUTING = frozenset(dir(nn.Module)) - {"forward", "_call_impl"}
# Hooks of accelerate that move tensors between devices, and nothing else.
_MOVING = frozenset({"AlignDevicesHook", "CpuOffload", "SequentialHook"})
MODEL = "the model"
_TAKE_OFF = "take it off, or load the encoder in a fresh process"


@dataclass(frozen=True)
class Finding:
    """Something of this process that changes, or may change, what an encoder gives its users.

    Attributes:
        what: in words.
        remedy: what makes the encoder pass without it; empty where it is known to leave embeddings alone.
    """

    what: str
    remedy: str = ""


def code_found(root: Any, *, within: str = MODEL, known: Iterable[nn.Module] = ()) -> tuple[Finding, ...]:
    """Hooks on modules, and functions that are set on an instance instead of its class.

    Libraries do so too: what is known to move tensors or to compile, and nothing else, has no remedy. A
    function patched inside a library is not found here; the watermark sees its effect.

    Args:
        root: a module with all its parts, or another object that holds one, itself alone.
        within: what to call it.
        known: modules that were looked at before.

    Returns:
        One entry per finding, e.g. ``forward hook on encoder.layer.3``.
    """
    if not isinstance(root, nn.Module):
        return tuple(Finding(f"patched {name} on {within}", _TAKE_OFF) for name in _patched(root))
    seen = {id(module) for module in known}
    found: list[Finding] = []
    moving = False
    for name, module in root.named_modules():
        if id(module) in seen:
            continue
        place = _place(name, within)
        found += [
            Finding(f"{kind} on {place}", _TAKE_OFF)
            for attribute, kind in HOOKS.items()
            if any(not _of_transformers(hook) for hook in getattr(module, attribute).values())
        ]
        for function in _patched(module):
            if function == "forward" and _moves_only(module):
                moving = True
            elif function == "forward" and "_original_forward" in vars(module):
                unwrap = "give what accelerate's unwrap_model makes of it"
                found.append(
                    Finding(f"autocast around the forward of {place}, put there by accelerate", unwrap)
                )
            else:
                found.append(Finding(f"patched {function} on {place}", _TAKE_OFF))
        if (compiled := getattr(module, "_compiled_call_impl", None)) is not None:
            own = getattr(compiled, "_torchdynamo_orig_callable", None) == module._call_impl
            found.append(Finding(f"compiled {place}", "" if own else _TAKE_OFF))
    if moving:
        found.append(Finding("hooks of accelerate that move tensors between devices"))
    return tuple(found)


def global_hooks() -> tuple[Finding, ...]:
    """Hooks that torch runs on every module of this process."""
    return tuple(
        Finding("forward hook on every module", _TAKE_OFF)
        for attribute in GLOBAL_HOOKS
        if any(not _of_transformers(hook) for hook in getattr(torch_module, attribute, {}).values())
    )


def in_process_changes(model: nn.Module) -> tuple[str, ...]:
    """All code that was put onto a model, harmless or not, in words."""
    return tuple(finding.what for finding in (*global_hooks(), *code_found(model)))


def replaced_modules(model: nn.Module) -> tuple[str, ...]:
    """Modules whose class is another than the one that the model's own configuration builds.

    Returns:
        One entry per finding, e.g. ``encoder.layer.0.activation is ReLU instead of GELU``; none where the
        model cannot be built from its configuration alone.
    """
    try:
        with torch.device("meta"):  # classes only: no memory for weights
            built = dict(type(model)(copy.deepcopy(model.config)).named_modules())
    except Exception:  # a model of any class: whatever its constructor raises
        return ()
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        expected = built.get(name)
        if _class_name(module) == _class_name(expected) or any(
            name.startswith(f"{outer}.") for outer in found
        ):
            continue
        was = f"instead of {type(expected).__name__}" if expected is not None else "where nothing was"
        found[name] = f"{name} is {type(module).__name__} {was}"
    return tuple(found.values())


def _class_name(module: object) -> tuple[str, str]:
    # parametrised layers (weight norm) have a class each, of one name
    return type(module).__module__, type(module).__qualname__


def _place(name: str, within: str) -> str:
    if within != MODEL:
        return f"{name} of {within}" if name else within
    return name.removeprefix("model").removeprefix(".") or within


def _patched(owner: Any) -> Iterator[str]:
    """Functions of a class that an instance has another of."""
    if type(owner).__name__ == "OptimizedModule" and type(owner).__module__.startswith("torch."):
        return  # it compiles what it holds, into functions of its own
    for name, value in vars(owner).items():
        original = getattr(type(owner), name, None)
        if (
            name in _NOT_COMPUTING
            or isinstance(original, type)
            or not (callable(value) and callable(original))
        ):
            continue
        if not _own(owner, value, original):
            yield name


def _own(owner: Any, value: Any, original: Any) -> bool:
    # Some versions of transformers patch layers to record hidden states, and put the class's own function
    # back onto the instance.
    return getattr(value, "__self__", None) is owner and getattr(value, "__func__", None) is original


def _moves_only(module: nn.Module) -> bool:
    """Whether a forward is accelerate's around the module's own, with hooks that only move tensors."""
    held = vars(module)
    forward = held["forward"]
    return (
        isinstance(forward, functools.partial)
        and forward.func.__module__ == "accelerate.hooks"
        and _moving(held.get("_hf_hook"))
        and _own(module, held.get("_old_forward"), type(module).forward)
    )


def _moving(hook: Any) -> bool:
    kind = type(hook)
    known = kind.__module__ == "accelerate.hooks" and kind.__name__ in _MOVING
    return known and all(_moving(inner) for inner in getattr(hook, "hooks", ()))


def _of_transformers(hook: object) -> bool:
    # It records hidden states by hooks of its own, which stay on the layers after the first such call.
    return str(getattr(hook, "__module__", "")).startswith("transformers.")
