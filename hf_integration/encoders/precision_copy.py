"""A copy of a module that computes in another precision, hooks and patches included."""

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hf_integration.encoders.computed_buffers import computed_buffers
from hf_integration.encoders.interface import PRECISIONS, WEIGHTS, Precision, Weights
from hf_integration.encoders.lookup_tables import empty_like, fill_on_lookup, large_tables
from hf_integration.errors import UsageError

_DTYPES: dict[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
_HALF = frozenset({"float16", "bfloat16"})

Root = TypeVar("Root", bound=nn.Module)


def state_tensors(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and persistent buffers with their names; a tied tensor under its first name only."""
    seen: set[int] = set()
    for prefix, module in root.named_modules():
        persistent = {
            name: buffer
            for name, buffer in module._buffers.items()
            if name not in module._non_persistent_buffers_set
        }
        for name, tensor in {**module._parameters, **persistent}.items():
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                yield (f"{prefix}.{name}" if prefix else name), tensor


def half_load(precision: Precision, weights: Weights) -> torch.dtype | None:
    """The half precision in which a module would be loaded to compute so with such weights, if in any."""
    halves = [name for name in (precision, weights) if name in _HALF]
    return _DTYPES[halves[0]] if halves else None


def at_precision(
    root: Root,
    precision: Precision,
    *,
    weights: Weights = "stored",
    buffers: Mapping[int, Tensor] | None = None,
    run_only: bool = False,
) -> Root:
    """Copy a module so that it computes in another precision.

    A full precision casts every floating tensor, also buffers that are not stored (rotary frequencies), which
    half precision leaves in the dtype that a load gives them.

    Args:
        root: the module; it stays as it is.
        precision: dtype of the computation.
        weights: ``float16`` or ``bfloat16`` rounds every stored tensor to that dtype first, by value.
        buffers: what takes the place of buffers that are not stored, by their identity.
        run_only: the copy's tensors will be neither read nor edited, so large lookup tables may stay empty
            until they are used.

    Returns:
        The copy, or ``root`` itself if nothing would change.

    Raises:
        UsageError: an unknown precision or unknown weights.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}", remedy=f"choose from {', '.join(PRECISIONS)}")
    if weights not in WEIGHTS:
        raise UsageError(f"unknown weights {weights!r}", remedy=f"choose from {', '.join(WEIGHTS)}")
    target = _DTYPES[precision]

    def rounded(tensor: Tensor) -> Tensor:
        return tensor if weights == "stored" else tensor.to(_DTYPES[weights])

    tables = dict(large_tables(root)) if run_only and precision not in _HALF else {}
    tables = {name: table for name, table in tables.items() if table.weight.dtype != target}
    changed: dict[int, Tensor] = {id(table.weight): empty_like(table, target) for table in tables.values()}
    for _, tensor in state_tensors(root):
        if tensor.is_floating_point() and id(tensor) not in changed:
            converted = rounded(tensor.detach()).to(target)
            if tensor.dtype != target or (
                weights not in ("stored", precision) and not _same(converted, tensor)
            ):
                changed[id(tensor)] = _like(converted, tensor)
    for _, buffer in computed_buffers(root):
        loaded = (buffers or {}).get(id(buffer), buffer)
        computed = loaded if precision in _HALF else loaded.to(target)
        if computed.dtype != buffer.dtype or not _same(computed, buffer):
            changed[id(buffer)] = computed
    if not changed:
        return root
    # deepcopy asks the memo before it copies: what is there already is never copied in its old precision,
    # and two names of one tensor get the same converted tensor.
    memo: dict[int, Any] = {**_empty_containers(root), **changed}
    copied = copy.deepcopy(root, memo)
    for name, table in tables.items():
        fill_on_lookup(copied, name, table.weight.detach(), lambda rows: rounded(rows).to(target))
    return copied


def _empty_containers(root: nn.Module) -> dict[int, Any]:
    """New empty containers for those of every module, by the identity of the old one.

    Every module holds a dozen, most for hooks, and taking each apart to rebuild it is most of a deep copy.
    """
    return {
        id(value): type(value)()
        for module in root.modules()
        for value in vars(module).values()
        if type(value) in (OrderedDict, dict, set) and not value
    }


def _same(converted: Tensor, original: Tensor) -> bool:
    return torch.equal(converted, original.detach())


def _like(converted: Tensor, original: Tensor) -> Tensor:
    if isinstance(original, nn.Parameter):
        return nn.Parameter(converted, requires_grad=original.requires_grad)
    return converted
