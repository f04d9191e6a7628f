"""Finding code that was put onto a model in this process: hooks, patched functions, replaced modules."""

import copy

import torch
from torch import nn
from torch.nn.modules import module as torch_module

HOOKS = {"_forward_hooks": "forward hook", "_forward_pre_hooks": "forward pre-hook"}
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")


def in_process_changes(model: nn.Module) -> tuple[str, ...]:
    """Hooks on modules and forward functions that are set on an instance instead of its class.

    Libraries install hooks too (device maps of accelerate), so a finding explains a broken watermark but
    is no verdict. A patched function inside a library is not found here; the watermark sees its effect.

    Returns:
        One entry per finding, e.g. ``forward hook on encoder.layer.3``.
    """
    found = [
        "forward hook on every module"
        for attribute in GLOBAL_HOOKS
        if any(not _of_transformers(hook) for hook in getattr(torch_module, attribute, {}).values())
    ]
    for name, module in model.named_modules():
        place = name.removeprefix("model").removeprefix(".") or "the model"
        found += [
            f"{kind} on {place}"
            for attribute, kind in HOOKS.items()
            if any(not _of_transformers(hook) for hook in getattr(module, attribute).values())
        ]
        if "forward" in vars(module) and not _own_forward(module):
            found.append(f"patched forward on {place}")
        if getattr(module, "_compiled_call_impl", None) is not None:
            found.append(f"compiled {place}")
    return tuple(found)


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


def _own_forward(module: nn.Module) -> bool:
    # Some versions of transformers patch layers to record hidden states, and put the class's own function
    # back onto the instance.
    forward = vars(module)["forward"]
    return (
        getattr(forward, "__self__", None) is module
        and getattr(forward, "__func__", None) is type(module).forward
    )


def _of_transformers(hook: object) -> bool:
    # It records hidden states by hooks of its own, which stay on the layers after the first such call.
    return str(getattr(hook, "__module__", "")).startswith("transformers.")
