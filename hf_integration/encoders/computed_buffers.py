"""Buffers that no file holds: computed while a model is built, and by some in the dtype that it is loaded in.

Gemma's scale of the embeddings and Swin V2's table of coordinates are rounded when the model is loaded in
half precision, rotary frequencies never are. No rule says which: only such a load does.
"""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn


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
            and _same(buffer, self._own[name])
            and _rounded(self._own[name], loaded[name])
        }


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.detach().to("cpu", copy=True) for name, buffer in computed_buffers(model)}


def _same(buffer: Tensor, loaded: Tensor) -> bool:
    """By value, as a copy in a wider dtype holds the same."""
    return torch.equal(buffer.detach().cpu().double(), loaded.double())


def _rounded(own: Tensor, other: Tensor) -> bool:
    """Whether one is the other but for rounding; both dtypes may have computed with few digits."""
    if own.shape != other.shape:
        return False
    dtype = max(own.dtype, other.dtype, key=lambda dtype: torch.finfo(dtype).eps)
    digits = 8 * torch.finfo(dtype).eps
    return torch.allclose(own.to(dtype).double(), other.to(dtype).double(), rtol=digits, atol=digits)
