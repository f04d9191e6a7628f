"""Half precision on a CPU whose kernels for it are slow: products in float32, rounded to half precision.

Accelerators multiply numbers in half precision, add up in float32, and round what comes out. Most CPUs have
no instructions for it: torch then does the same number by number, and takes four times as long for a
BERT-base as in float32. Its results differ from those here by the order of the sums alone: by 6e-5 to 6e-4 of
a layer's output, as much as those of another batch size.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from hf_integration.base.vocabulary import Precision

_HALF = {"float16": torch.float16, "bfloat16": torch.bfloat16}

PRODUCTS: frozenset[Callable[..., Any]] = frozenset(
    {F.linear, F.conv1d, F.conv2d, F.scaled_dot_product_attention, torch.matmul, torch.bmm, Tensor.matmul}
)
"""Where nearly all of an encoder's time goes."""


def quick(precision: Precision, *, everywhere: bool = False) -> AbstractContextManager[Any]:
    """Run the block by quick kernels, if it is in a half precision that this CPU has none for.

    Args:
        precision: arithmetic of the run.
        everywhere: also where the CPU has instructions for it, which a process may have been told not to use.
    """
    if precision not in _HALF or (not everywhere and _has_kernels(precision)):
        return nullcontext()
    return _InFloat32(_HALF[precision])


def _has_kernels(precision: Precision) -> bool:
    name = {"float16": "_is_mkldnn_fp16_supported", "bfloat16": "_is_mkldnn_bf16_supported"}[precision]
    return bool(getattr(torch.ops.mkldnn, name)())


class _InFloat32(TorchFunctionMode):
    """Products of tensors of one dtype on a CPU are computed in float32 and rounded to it.

    Args:
        dtype: float16 or bfloat16.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), keywords: Any = None
    ) -> Any:
        keywords = keywords or {}
        if function not in PRODUCTS or not self._is_half(arguments[0] if arguments else None):
            return function(*arguments, **keywords)
        wide = [self._wide(value) for value in arguments]
        result = function(*wide, **{name: self._wide(value) for name, value in keywords.items()})
        return result.to(self._dtype)

    def _is_half(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype == self._dtype and value.device.type == "cpu"

    def _wide(self, value: Any) -> Any:
        return value.float() if self._is_half(value) else value
