"""Finding code that was put onto a model in this process: hooks, patched functions, classes of one's own."""

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CellType, FunctionType, MethodType
from typing import Any

from torch import nn
from torch.nn.modules import module as torch_module

from hf_integration.encoders.identity.participants import Walk, hidden_functions, participants
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
_CALLED_BY_NAME = (
    "torch",
    "torch.nn.functional",
    # what prepares images and recordings: transforms and processors look these up whenever they are called
    "numpy",
    "numpy.fft",
    "PIL.Image",
    "timm.data.transforms",
    "torchvision.transforms._functional_pil",
    "torch.fft",
    "torchvision.transforms.functional",
    "torchvision.transforms.v2.functional",
    "transformers.audio_utils",
    "transformers.image_transforms",
    "transformers.image_utils",
)
_OF_PICTURES = (
    "__array_interface__",
    "convert",
    "copy",
    "crop",
    "getbbox",
    "load",
    "paste",
    "resize",
    "tobytes",
)
"""Methods of a picture that prepare it; applications add others to its class."""
_FILES = frozenset(
    {f"{name} of numpy" for name in ("fromfile", "genfromtxt", "load", "loadtxt", "save", "savetxt", "savez")}
    | {f"{name} of PIL.Image" for name in ("open", "preinit", "init", "register_open")}
)
"""What reads and writes files, and is replaced for all kinds of reasons."""
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
    """Hooks that torch runs on every module of this process, and functions of libraries that were replaced.

    Those that libraries look up in a module whenever they call them: of these, no class says anything.
    """
    hooks = [
        Finding("forward hook on every module", TAKE_OFF)
        for attribute in GLOBAL_HOOKS
        if any(not _of_transformers(hook) for hook in getattr(torch_module, attribute, {}).values())
    ]
    seen: dict[int, Any] = {}
    patched = [what for module in _CALLED_BY_NAME for what in patched_in_module(module, seen)]
    pictures: Any = getattr(sys.modules.get("PIL.Image"), "Image", None)
    patched += [
        f"{name} of Image" for name in _OF_PICTURES if is_foreign(getattr(pictures, "__dict__", {}).get(name))
    ]
    patched = [what for what in patched if what not in _FILES]
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
