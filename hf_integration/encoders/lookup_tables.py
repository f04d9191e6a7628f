"""Large lookup tables in a copy that is only run: rows are converted when they are looked up.

Half of a sentence encoder, and most of a multilingual one, is its vocabulary's table, of which key samples
look up some hundred rows. A lookup copies, so converting before or after it gives the same values to the bit.
"""

import mmap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.encoders.in_process import in_process_changes

LARGE = 1 << 22
"""Entries from which a table is worth it."""


@dataclass(frozen=True)
class Rows:
    """A hook that fills the rows about to be looked up; the rest of the table stays zero.

    Attributes:
        source: the table in the dtype that it was stored in, ``(rows, dim)``.
        convert: from there to the values that the copy is to compute with.
    """

    source: Tensor
    convert: Callable[[Tensor], Tensor]

    def __call__(self, table: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """Called by torch before the lookup."""
        indices = (arguments[0] if arguments else keywords["input"]).unique()
        with torch.no_grad():
            table.weight[indices] = self.convert(self.source[indices])  # type: ignore[operator]


def large_tables(root: nn.Module) -> Iterator[tuple[str, nn.Embedding]]:
    """Tables that nothing but their own lookup reads, with their names.

    Subclasses may read anything, tied tables have other readers, and ``max_norm`` writes. Hooks and patches
    anywhere in the model may read rows that are not there, so then there is no such table.
    """
    if in_process_changes(root):
        return
    holders = Counter(
        id(weight) for _, module in root.named_modules() for weight in module._parameters.values()
    )
    for name, module in root.named_modules():
        if (
            type(module) is nn.Embedding
            and module.weight.numel() >= LARGE
            and module.weight.device.type == "cpu"
            and module.max_norm is None
            and holders[id(module.weight)] == 1
        ):
            yield name, module


def empty_like(table: nn.Embedding, dtype: torch.dtype) -> nn.Parameter:
    """A table of zeros that takes no memory until rows are written to it."""
    # fresh from the system: torch would write the zeros, and NumPy ask for huge pages, which a row each fills
    # (and private where that can be said: pages of a shared mapping cost more)
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    zeros = torch.frombuffer(mmap.mmap(-1, table.weight.numel() * dtype.itemsize, **private), dtype=dtype)
    return nn.Parameter(zeros.view(table.weight.shape), requires_grad=False)


def fill_on_lookup(copied: nn.Module, name: str, source: Tensor, convert: Callable[[Tensor], Tensor]) -> None:
    """Make the table ``name`` of a copy fill its rows from ``source``; hooks that it has run first."""
    copied.get_submodule(name).register_forward_pre_hook(Rows(source, convert), with_kwargs=True)
