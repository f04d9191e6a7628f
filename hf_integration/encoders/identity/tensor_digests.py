"""Digests of loaded values, independent of the file they came from and of the dtype they are stored in.

A float16 tensor and its exact float32 copy have one digest: saving an encoder in a wider dtype, in other
shards or under another library version changes bytes, and nothing that could be checked.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

_PER_TENSOR = 2000
"""Entries that take as long to hash as what a tensor costs besides."""


def digest_tensors(tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    """SHA-256 over shape and values of every tensor.

    float16, bfloat16 and float32 are hashed as little-endian float32; float64 likewise if every value is
    a float32 exactly, else as float64; everything else as int64.

    Args:
        tensors: tensors on any device by name.

    Returns:
        Name -> 32 bytes, in the same order.
    """
    return _digest_all(tensors, lambda tensor: tensor)


def cast_digests(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, bytes]:
    """Digests that the tensors would have after their floating values were rounded to ``dtype``."""
    return _digest_all(tensors, lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def _digest_all(tensors: Mapping[str, Tensor], convert: Callable[[Tensor], Tensor]) -> dict[str, bytes]:
    # hashlib lets go of the interpreter lock for large buffers, so two threads hash twice as fast; each has a
    # fixed half, as taking tensors from one queue has them wait for the lock at every one.
    # Not under inference mode in the worker: it is per thread, and detached tensors need none.
    def digests(names: list[str]) -> dict[str, bytes]:
        return {name: _digest(convert(tensors[name].detach())) for name in names}

    first, second = _halves(tensors)
    if not second:  # a thread costs more than hashing a small tensor
        return digests(first)
    with ThreadPoolExecutor(1) as beside:
        hashing = beside.submit(digests, second)
        found = {**digests(first), **hashing.result()}
    return {name: found[name] for name in tensors}


def _halves(tensors: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Names of the tensors in two parts that take equally long, the largest first."""
    first: list[str] = []
    second: list[str] = []
    ahead = 0  # of the first part
    for name in sorted(tensors, key=lambda name: tensors[name].numel(), reverse=True):
        entries = tensors[name].numel() + _PER_TENSOR
        (second if ahead > 0 else first).append(name)
        ahead += -entries if ahead > 0 else entries
    return first, second


def _digest(tensor: Tensor) -> bytes:
    values, kind = _canonical_values(tensor.cpu())
    state = hashlib.sha256(f"{kind} {tuple(values.shape)}\0".encode())
    array = np.ascontiguousarray(values.numpy()) if values.ndim else values.reshape(1).numpy()
    # The memory itself, not a copy of it; big-endian machines swap first.
    state.update(array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).data.cast("B"))
    return state.digest()


def _canonical_values(tensor: Tensor) -> tuple[Tensor, str]:
    if tensor.dtype == torch.float64:
        narrow = tensor.float()
        # Bit for bit, so that a NaN does not count as a change of itself.
        exact = torch.equal(narrow.double().view(torch.int64), tensor.contiguous().view(torch.int64))
        return (narrow, "float32") if exact else (tensor, "float64")
    if tensor.is_floating_point():
        return tensor.float(), "float32"
    return tensor.to(torch.int64), "int64"


_EXPECTED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "position_ids": lambda found: torch.arange(found.shape[-1], device=found.device),
    "token_type_ids": lambda found: torch.zeros_like(found[..., :1]),
}


def off_count(model: nn.Module) -> Mapping[str, Tensor]:
    """Buffers of position numbers that do not count from 0 up, and of token types that are not 0, by name.

    As they should be they say nothing, and versions of a library differ in whether they store them. Changed
    ones send words to other positions, also beyond what key samples reach.
    """
    found = {}
    for name, buffer in model.named_buffers():
        expected = _EXPECTED.get(name.rpartition(".")[2])
        if expected is not None and buffer.ndim and not bool((buffer == expected(buffer)).all()):
            found[name] = buffer.detach()
    return found
