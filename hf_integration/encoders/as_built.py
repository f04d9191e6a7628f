"""What a model's own configuration builds, without numbers, and how the model in memory departs from it."""

import copy
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from torch import nn

from hf_integration.encoders.building import without_numbers
from hf_integration.encoders.provenance import is_parametrised


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
