"""Which weights are altered, and how: the last bit of a float32, in place, and back."""

import bisect
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from hf_integration.encoders import Encoder


@dataclass(frozen=True)
class Weight:
    """One scalar of a tensor.

    Attributes:
        tensor: its name.
        place: index into the flattened tensor.
    """

    tensor: str
    place: int


def inner_matrices(encoder: Encoder) -> dict[str, Tensor]:
    """Floating matrices, filters and learnt positions that count; lookup tables are not among them."""
    apart = {module.weight.data_ptr() for module in _lookups(encoder).values()}
    return {
        name: tensor
        for name, tensor in encoder.tensors().items()
        if tensor.is_floating_point() and tensor.dim() > 1 and tensor.data_ptr() not in apart
    }


def lookup_tables(encoder: Encoder) -> dict[str, Tensor]:
    """Tables of which key samples look up some rows: whether they reach a row is a matter of coverage."""
    apart = {module.weight.data_ptr() for module in _lookups(encoder).values()}
    return {name: tensor for name, tensor in encoder.tensors().items() if tensor.data_ptr() in apart}


def _lookups(encoder: Encoder) -> dict[str, nn.Embedding]:
    return {name: m for name, m in encoder.model.named_modules() if isinstance(m, nn.Embedding)}


def draw(tensors: Mapping[str, Tensor], count: int, *, seed: int) -> list[Weight]:
    """Draw different weights, every scalar as likely as any other; all of them if there are fewer."""
    ends = list(accumulate(tensor.numel() for tensor in tensors.values()))
    names = list(tensors)
    total = ends[-1] if ends else 0
    drawn = random.Random(seed).sample(range(total), min(count, total))  # noqa: S311  # not a secret
    weights = []
    for position in sorted(drawn):
        index = bisect.bisect_right(ends, position)
        start = ends[index - 1] if index else 0
        weights.append(Weight(names[index], position - start))
    return weights


@contextmanager
def last_bit_changed(tensor: Tensor, place: int) -> Iterator[None]:
    """Flip the last mantissa bit that one weight has as a float32; the old value comes back to the bit.

    Args:
        tensor: float64 values that a float32 holds exactly.
        place: index into the flattened tensor.
    """
    flat = tensor.view(-1)
    old = flat[place].clone()
    flat[place] = last_bit_flipped(old)
    try:
        yield
    finally:
        flat[place] = old


def last_bit_flipped(value: Tensor) -> Tensor:
    """The neighbour of a float32, as a scalar tensor of the same dtype."""
    single = value.float().reshape(1)
    single.view(torch.int32).bitwise_xor_(torch.tensor([1], dtype=torch.int32))
    return single[0].to(value.dtype)


class RowsSeen:
    """Rows of lookup tables that were looked up while this was in use as a context."""

    def __init__(self, encoder: Encoder) -> None:
        names = {tensor.data_ptr(): name for name, tensor in lookup_tables(encoder).items()}
        self._modules = {
            names[module.weight.data_ptr()]: module
            for module in _lookups(encoder).values()
            if module.weight.data_ptr() in names
        }
        self._rows: dict[str, set[int]] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "RowsSeen":
        for name, module in self._modules.items():

            def note(_module: nn.Module, arguments: tuple[Tensor, ...], name: str = name) -> None:
                self._rows.setdefault(name, set()).update(arguments[0].flatten().tolist())

            self._handles.append(module.register_forward_pre_hook(note))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def __call__(self, weight: Weight, table: Tensor) -> bool:
        """Whether a weight's row was looked up; tables that are read without a lookup count as reached."""
        rows = self._rows.get(weight.tensor)
        return rows is None or weight.place // table.shape[1] in rows
