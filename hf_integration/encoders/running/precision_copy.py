"""A copy of a module that computes in another precision, hooks and patches included.

Gemma's scale of the embeddings and Swin V2's table of coordinates are rounded when the model is loaded in
half precision, rotary frequencies never are. No rule says which: only such a load does.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import PRECISIONS, WEIGHTS, Precision, Weights
from hf_integration.encoders.running.cast_on_use import CastOnUse

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
        run_only: the copy's tensors will not be edited, so large ones may stay as they are stored, to be cast
            when they are used.

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
    steps = (target,) if weights == "stored" else (_DTYPES[weights], target)
    large = _large(root) if run_only else {}
    kept = _kept_as_stored(root, large, target)
    changed: dict[int, Tensor] = {}
    for _, tensor in state_tensors(root):
        if not tensor.is_floating_point() or (tensor.dtype == target and len(steps) == 1):
            continue
        later = CastOnUse(tensor.detach(), *steps)
        if tensor.dtype == target and _same(later.cast(), tensor):
            continue
        cast = later if id(tensor) in kept else later.cast()
        changed[id(tensor)] = _like(cast, tensor, trained=id(tensor) not in large)
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
    return copy.deepcopy(root, memo)


def moved(root: Root, device: str) -> Root:
    """Copy a module to another device; it stays as it is, and where it is."""
    tensors = (*root.parameters(), *root.buffers())
    there = {id(tensor): _like(tensor.detach().to(device), tensor) for tensor in tensors}
    return copy.deepcopy(root, {**_empty_containers(root), **there})


def sharing(root: nn.Module) -> dict[int, Any]:
    """What ``copy.deepcopy`` takes for a copy whose parameters hold the memory of the original's."""
    written = _written(root)
    shared = (tensor for tensor in root.parameters() if id(tensor) not in written)
    return {id(tensor): _like(tensor.detach(), tensor) for tensor in shared}


def added_on_use(root: Root) -> Root:
    """Copy a module without its large tensors: theirs are those of the original, and may be added to."""
    large = _large(root)
    later = {
        id(tensor): _like(CastOnUse(tensor.detach(), tensor.dtype), tensor, trained=False)
        for tensor in root.parameters()
        # noise of a tensor that is laid out otherwise would have to be laid out like it
        if id(tensor) in large and tensor.is_floating_point() and tensor.is_contiguous()
    }
    return copy.deepcopy(root, {**_empty_containers(root), **later})


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


def _like(converted: Tensor, original: Tensor, *, trained: bool = True) -> Tensor:
    if isinstance(original, nn.Parameter):
        return nn.Parameter(converted, requires_grad=trained and original.requires_grad)
    return converted


LARGE = 1 << 16
"""Entries from which casting a tensor again and again costs less than keeping it twice."""

ROOM = 128 << 20
"""Bytes of large tensors that are cast nevertheless: casting those of a small encoder for every batch is 4 to
8 % of a check. Tables are not among them, as few of their rows are looked up."""


def _large(root: nn.Module) -> dict[int, int]:
    """Numbers of entries of large parameters that a run does not write to, by their identities.

    Buffers are what modules keep, and may write to.
    """
    written = _written(root)
    return {
        id(tensor): tensor.numel()
        for tensor in root.parameters()
        if tensor.numel() >= LARGE and id(tensor) not in written
    }


def _kept_as_stored(root: nn.Module, large: Mapping[int, int], dtype: torch.dtype) -> frozenset[int]:
    """Which of the large parameters are not cast once, but each time that they are used."""
    tables = {id(module.weight) for module in root.modules() if isinstance(module, nn.Embedding)}
    kept, room = set(), ROOM
    for key, entries in large.items():
        if key in tables or entries * dtype.itemsize > room:
            kept.add(key)
        else:
            room -= entries * dtype.itemsize
    return frozenset(kept)


def _written(root: nn.Module) -> set[int]:
    """Identities of tensors that their own modules write to when they run."""
    return {
        id(module.weight)
        for module in root.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.max_norm is not None
    }


def computed_buffers(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Floating buffers that are not stored, with their names."""
    for prefix, module in root.named_modules():
        for name in module._non_persistent_buffers_set:
            buffer = module._buffers.get(name)
            if buffer is not None and buffer.is_floating_point():
                yield (f"{prefix}.{name}" if prefix else name), buffer


class ComputedBuffers:
    """What a model's computed buffers are after a load in another dtype.

    Args:
        model: the model as it was loaded.
        dtype: the dtype that it was loaded in.
        load: loads it again in another one.
    """

    def __init__(
        self, model: nn.Module, dtype: torch.dtype, load: Callable[[torch.dtype], nn.Module]
    ) -> None:
        self._load = load
        self._by_dtype = {dtype: _copied(model)}
        self._own = self._by_dtype[dtype]

    def after_load_in(self, dtype: torch.dtype, model: nn.Module) -> Mapping[int, Tensor]:
        """The buffers of a model that a load in ``dtype`` makes other ones, by the identity of the present.

        One that is no longer what was loaded (code in this process changed it, the whole module was cast) is
        left out, and so is one that the two loads do not agree on: what runs must stay visible.

        Args:
            dtype: the dtype of the load; the model is loaded only if it has computed buffers, and only once.
            model: the loaded model, or a copy of it in another precision.

        Raises:
            EncoderError: it cannot be loaded again.
        """
        if not self._own:
            return {}
        if dtype not in self._by_dtype:
            self._by_dtype[dtype] = _copied(self._load(dtype))
        loaded = self._by_dtype[dtype]
        return {
            id(buffer): loaded[name].to(buffer.device, copy=True)  # a copy may write into its buffers
            for name, buffer in computed_buffers(model)
            if name in loaded.keys() & self._own.keys()
            and _same_value(buffer, self._own[name])
            and _rounded(self._own[name], loaded[name])
        }


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.detach().to("cpu", copy=True) for name, buffer in computed_buffers(model)}


def _same_value(buffer: Tensor, loaded: Tensor) -> bool:
    """By value, as a copy in a wider dtype holds the same."""
    return torch.equal(buffer.detach().cpu().double(), loaded.double())


def _rounded(own: Tensor, other: Tensor) -> bool:
    """Whether one is the other but for rounding; both dtypes may have computed with few digits."""
    if own.shape != other.shape:
        return False
    dtype = max(own.dtype, other.dtype, key=lambda dtype: torch.finfo(dtype).eps)
    digits = 8 * torch.finfo(dtype).eps
    return torch.allclose(own.to(dtype).double(), other.to(dtype).double(), rtol=digits, atol=digits)
