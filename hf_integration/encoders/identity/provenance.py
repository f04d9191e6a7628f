"""Where code comes from: a class or a function of the libraries that encoders are made of, or another's.

What a class calls itself counts for nothing: it has to be the one that its library holds under that name, and
what a function is called counts neither, but the module that it was written in.

In a float64 check that rounding would count as noise ten million times as large as float64's own, so the copy
that is checked uses the fused kernel where there is one. Other precisions keep the caller's kernel.
"""

import copy
import functools
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

from torch import nn

from hf_integration.encoders.files.loading import without_numbers

_LIBRARIES = frozenset(
    {
        "accelerate",
        "hf_integration",
        "huggingface_hub",
        "numpy",
        "PIL",
        "safetensors",
        "sentence_transformers",
        "timm",
        "tokenizers",
        "torch",
        "torchaudio",
        "torchvision",
        "transformers",
        "typing_extensions",
    }
)
# What tokenizers without a pipeline of their own call.
_OF_TOKENIZERS = frozenset(
    {"fugashi", "ftfy", "jieba", "MeCab", "regex", "rjieba", "sacremoses"}
    | {"sentencepiece", "spacy", "sudachipy", "tiktoken"}
)
_STANDARD = frozenset(sys.stdlib_module_names) - {"test", "unittest"}  # whose mocks compute anything
_KNOWN = _LIBRARIES | _OF_TOKENIZERS | _STANDARD
_MADE_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the others are built into an extension module
_INSTALLED = (
    *(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")),
    *site.getsitepackages(),
    site.getusersitepackages(),
)
_PARAMETRISED = "torch.nn.utils.parametrize"
_ONCE = frozenset({"__new__", "__init__", "__init_subclass__"})  # they ran before anything was looked at


def is_of_library(kind: type, package: str = "") -> bool:
    """Whether a class is one of a library, and the one that the library holds under its name.

    Args:
        kind: the class.
        package: the library; by default any that encoders are made of.
    """
    if is_parametrised(kind):  # torch makes such a class for each module with a weight norm
        return is_of_library(kind.__bases__[0], package)
    top = kind.__module__.partition(".")[0]
    if top != package if package else top not in _KNOWN:
        return False
    if not kind.__flags__ & _MADE_IN_PYTHON or type(kind).__name__ == "pybind11_type":
        return True
    return _held_under_its_name(kind)


def is_parametrised(kind: type) -> bool:
    """Whether torch made this class of another one, to compute a weight of it."""
    return (
        kind.__module__ == _PARAMETRISED
        and len(kind.__bases__) == 1
        and kind.__name__ == f"Parametrized{kind.__bases__[0].__name__}"
    )


def is_foreign(function: Any) -> bool:
    """Whether something callable runs code from outside the libraries that encoders are made of."""
    return any(_outside(code) for code in _layers(function))


def patched_in_class(kind: type, seen: dict[int, Any]) -> Iterator[str]:
    """Functions of a class, of those below it, and of their modules, that were written in no library.

    Args:
        kind: the class.
        seen: classes that were looked at before, by id; those that are looked at now are added.
    """
    if id(kind) in seen:
        return
    owners = [owner for owner in kind.__mro__ if id(owner) not in seen]
    seen.update((id(owner), owner) for owner in owners)
    for owner in owners:
        for name, value in vars(owner).items():
            if name not in _ONCE and not isinstance(value, type) and is_foreign(value):
                yield f"{name} of {owner.__name__}"
        yield from patched_in_module(owner.__module__, seen)


def patched_in_module(module: str, seen: dict[int, Any]) -> Iterator[str]:
    """Functions of a module that were written in no file of an installed package."""
    found = sys.modules.get(module)
    if found is None or id(found) in seen or module.partition(".")[0] not in _LIBRARIES:
        return
    seen[id(found)] = found
    for name, value in vars(found).items():
        # what libraries import from others is installed as they are
        if _written_elsewhere(value) and is_foreign(value):
            yield f"{name} of {module}"


def _written_elsewhere(value: Any) -> bool:
    # by its type: isinstance also asks the object itself, and some of torch warn when asked
    return type(value) is FunctionType and not value.__code__.co_filename.startswith(_INSTALLED)


def _held_under_its_name(kind: type) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is kind


def _layers(value: Any) -> Iterator[Any]:
    """A function, and what it was put around as far as that is known."""
    for _ in range(99):
        yield value
        if isinstance(value, staticmethod | classmethod | MethodType):
            value = value.__func__
        elif isinstance(value, functools.partial | functools.partialmethod | functools.cached_property):
            value = value.func
        elif isinstance(value, property):
            value = value.fget
        elif isinstance(value, FunctionType) and "__wrapped__" in vars(value):
            value = value.__wrapped__  # type: ignore[attr-defined]  # just seen
        else:
            return


def _outside(code: Any) -> bool:
    if isinstance(code, FunctionType):
        return str(code.__globals__.get("__name__")).partition(".")[0] not in _KNOWN
    return callable(code) and not isinstance(code, type) and not is_of_library(type(code))


def built_from(model: nn.Module) -> Mapping[str, nn.Module]:
    """The modules that a model of this class and configuration has, by name.

    Returns:
        Modules without numbers; none where the model cannot be built from its configuration alone.
    """
    kind: Any = type(model)
    try:
        with without_numbers(kind.__name__):
            return dict(kind(copy.deepcopy(model.config)).named_modules())
    except Exception:  # a model of any class: whatever its constructor raises
        return {}


def departures(model: nn.Module, built: Mapping[str, nn.Module]) -> Iterator[tuple[object, str]]:
    """Modules and functions that are others than the configuration builds, and nothing within them.

    Args:
        model: the model in memory.
        built: what :func:`built_from` gave for it, when nothing was known against it.

    Yields:
        What is there, and e.g. ``encoder.layer.0.activation is ReLU instead of GELU``.
    """
    if not built:  # nothing that was replaced could be told
        yield model, f"{type(model).__name__} cannot be built from its configuration, to be compared with it"
        return
    outermost: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer) for outer in outermost):
            continue
        expected = built.get(name)
        if expected is None or not _of_one_class(module, expected):
            outermost.append(f"{name}." if name else "")
            yield module, f"{name or 'the model'} is {_described(module, expected)}"
            continue
        for part, value in _kept(expected):
            held = vars(module).get(part)  # hides a module of that name
            if held is not value and not (held is None and isinstance(value, nn.Module)):
                yield held, f"{f'{name}.{part}'.strip('.')} is {_called(held)} instead of {_called(value)}"


def _kept(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """What an attribute of a module may be another of: its functions, and its modules."""
    yield from ((name, value) for name, value in vars(module).items() if isinstance(value, FunctionType))
    yield from ((name, part) for name, part in module._modules.items() if part is not None)


def _of_one_class(one: nn.Module, other: nn.Module) -> bool:
    kinds = [type(one), type(other)]
    return kinds[0] is kinds[1] or (
        all(map(is_parametrised, kinds)) and kinds[0].__bases__ == kinds[1].__bases__
    )


def _described(module: nn.Module, expected: nn.Module | None) -> str:
    if expected is None:
        return f"{type(module).__name__} where the configuration has nothing"
    kinds = type(module), type(expected)
    if kinds[0].__name__ != kinds[1].__name__:
        return f"{kinds[0].__name__} instead of {kinds[1].__name__}"
    is_called, was_called = [f"{kind.__module__}.{kind.__name__}" for kind in kinds]
    if is_called != was_called:
        return f"{is_called} instead of {was_called}"
    return f"another {is_called} than the one that goes by that name"


def _called(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))


def could_be_fused(model: nn.Module) -> bool:
    """Whether the model computes attention eagerly although it has a fused kernel.

    Architectures without one, and those without attention, call themselves eager too.
    """
    config = getattr(model, "config", None)
    return getattr(config, "_attn_implementation", None) == "eager" and any(
        getattr(type(module), "_supports_sdpa", False) for module in model.modules()
    )


def use_fused(model: Any) -> None:
    """Switch to torch's fused kernel, in place; architectures without one stay as they are."""
    try:
        model.set_attn_implementation("sdpa")
    except (AttributeError, ValueError, ImportError, TypeError):
        return


def foreign_kernels(model: nn.Module) -> Iterator[str]:
    """Kernels by the name of which the model computes attention, and that are of no library, in words.

    Those that transformers gets from the Hub are called by their repository, and are its own matter.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    configs = [getattr(module, "config", None) for module in model.modules()]
    names = {str(getattr(config, "_attn_implementation", "eager")) for config in configs}
    for name in sorted(names):
        for registered in (ALL_ATTENTION_FUNCTIONS, ALL_MASK_ATTENTION_FUNCTIONS):
            if "/" not in name and name in registered and is_foreign(registered[name]):
                yield f"attention '{name}' computed by a function from outside the libraries"
                break
