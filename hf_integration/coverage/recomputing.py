"""Backward passes in little memory: what a layer computed is dropped, and computed again when it is needed.

A pass keeps the inputs of all layers and what is inside one of them, instead of what is inside all of them,
and takes a third longer.

Source: Chen et al., "Training deep nets with sublinear memory cost", https://arxiv.org/abs/1604.06174.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MOST_STAGES = 5
"""Modules of a list up to which they are looked into for lists of their own: they are stages, not layers."""


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The layers that a model is a chain of: those of its lists, the outermost that are no stages."""
    found: list[nn.Module] = []
    for child in model.children():
        if not isinstance(child, nn.ModuleList | nn.Sequential):
            found += layers_of(child)
            continue
        for layer in child:
            inner = layers_of(layer) if len(child) <= MOST_STAGES else []
            found += inner or [layer]
    return found


def recompute(model: nn.Module) -> None:
    """Make every layer of a copy, which is run for its gradients alone, compute again what it dropped.

    The copy's settings are its own: it is told to keep no cache, which layers would fill twice.
    """
    for module in model.modules():
        if getattr(getattr(module, "config", None), "use_cache", False):
            module.config.use_cache = False  # type: ignore[union-attr]
    for layer in layers_of(model):
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


class Kept:
    """Bytes that the graph of a pass keeps: ``whole``, or ``recomputed`` if layers compute again.

    Args:
        model: the model that runs.
    """

    def __init__(self, model: nn.Module) -> None:
        self._layers = layers_of(model)
        self._own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
        # run of a layer, or None for all that is outside of them -> storage -> bytes
        self._kept: dict[int | None, dict[int, float]] = {}
        self._inputs = 0.0
        self._runs = 0
        self._where: list[int | None] = [None]
        # while a layer runs, so that no other tensor takes the place of one that is counted already
        self._held: list[Tensor] = []

    @property
    def whole(self) -> int:
        """Of a pass that keeps everything."""
        return int(sum(sum(kept.values()) for kept in self._kept.values()))

    @property
    def recomputed(self) -> int:
        """Of a pass whose layers compute again what they dropped."""
        inside = [sum(kept.values()) for where, kept in self._kept.items() if where is not None]
        outside = sum(self._kept.get(None, {}).values())
        return min(self.whole, int(outside + self._inputs + max(inside, default=0.0)))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what a forward pass keeps for its gradients; what is inside layers is not kept in fact."""
        hooks: list[Any] = []
        for layer in self._layers:
            hooks.append(layer.register_forward_pre_hook(self._enter, with_kwargs=True))
            hooks.append(layer.register_forward_hook(self._leave, always_call=True))
        try:
            with torch.autograd.graph.saved_tensors_hooks(self._keep, _nothing):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, _: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self._runs += 1  # some models run one layer again and again
        self._where.append(self._runs)
        given = [value for value in (*arguments, *keywords.values()) if isinstance(value, Tensor)]
        self._inputs += sum(_bytes(value) for value in given if value.requires_grad)

    def _leave(self, *_: Any) -> None:
        self._where.pop()
        self._held.clear()

    def _keep(self, tensor: Tensor) -> Tensor | None:
        storage, where = tensor.untyped_storage(), self._where[-1]
        if storage.data_ptr() in self._own:
            return None
        self._kept.setdefault(where, {})[storage.data_ptr()] = _bytes(tensor)
        if where is None:
            return tensor
        self._held.append(tensor)
        return None


def _bytes(tensor: Tensor) -> float:
    """As many as its storage has in float64: some are made in it."""
    scale = 8 / tensor.element_size() if tensor.is_floating_point() else 1.0
    return tensor.untyped_storage().nbytes() * scale


def _nothing(_: Any) -> Any:
    raise RuntimeError("a graph that keeps nothing has no derivatives")
