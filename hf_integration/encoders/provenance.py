"""Where code comes from: a class or a function of the libraries that encoders are made of, or another's.

What a class calls itself counts for nothing: it has to be the one that its library holds under that name, and
what a function is called counts neither, but the module that it was written in.
"""

import functools
import sys
import sysconfig
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

_LIBRARIES = frozenset(
    {
        "accelerate",
        "hf_integration",
        "huggingface_hub",
        "numpy",
        "PIL",
        "safetensors",
        "sentence_transformers",
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
_INSTALLED = tuple(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib"))
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
