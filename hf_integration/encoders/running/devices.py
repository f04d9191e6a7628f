"""Where an encoder computes, and that it does so in the arithmetic that was asked for.

TF32 (on by default in cuDNN's convolutions) and bfloat16 matrix products move an embedding by 5e-4, more
than most alterations do.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import Precision
from hf_integration.encoders.running.batches import launch_state


def choose_device(device: str | None) -> torch.device:
    """Find the device of this process.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` …; ``None`` is what accelerate gives this process: its own
            accelerator if there is one, else the CPU.

    Raises:
        UsageError: no such device here.
    """
    if device is None:
        return torch.device(launch_state().device)
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {device!r} is not available here", remedy="use cpu, or leave the choice to the program"
        ) from error
    if chosen.type == "meta":
        raise UsageError("device 'meta' holds no values", remedy="use cpu, cuda or cuda:N")
    return chosen


@cache
def supports_float64(device: torch.device | str) -> bool:
    """Whether a device computes in float64, found out by a sum in which float32 would lose a bit.

    Apple's GPUs refuse to, and others take float32 without a word.
    """
    if torch.device(device).type == "cpu":
        return True
    try:
        one = torch.ones(1, dtype=torch.float64, device=device)
        return bool((one + 2**-40 > one).item())
    except torch.OutOfMemoryError:  # which says nothing about the device, and is to be seen
        raise
    except (RuntimeError, TypeError, NotImplementedError):
        return False


def device_for(precision: Precision, device: str) -> str:
    """Where an encoder computes in a precision: on its own device, or on the CPU if that has no float64."""
    return "cpu" if precision == "float64" and not supports_float64(device) else device


# torch 2.9 and later say it per backend and operation; "ieee" is the full precision. What a version or build
# lacks is skipped.
_OPERATIONS = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
_FLAGS: Mapping[str, Mapping[str, bool]] = {
    # benchmark may choose another algorithm for the same shape
    "cudnn": {"benchmark": False, "deterministic": True, "allow_tf32": False},
    "cuda.matmul": {
        "allow_tf32": False,
        "allow_fp16_reduced_precision_reduction": False,
        "allow_bf16_reduced_precision_reduction": False,
    },
}


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute in full precision, without autocast and without gradients, and restore what was set.

    TF32 off, ``float32_matmul_precision`` "highest", no reduced-precision reductions, deterministic cuDNN,
    autocast off on CPU and accelerators, inference mode. The precision settings are those of the process, so
    two threads cannot hold different ones; the caller's come back also after an exception.
    """
    with ExitStack() as stack:
        operations = _operation_precisions()
        # Undone last: setting the older switches below, also on the way back, overwrites these.
        stack.callback(_set_operations, operations)
        _set_matmul_precision(stack)
        for path, flags in _FLAGS.items():
            for name, value in flags.items():
                _set_flag(stack, path, name, value)
        _set_operations(dict.fromkeys(operations, "ieee"))
        for device in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(torch.inference_mode())
        yield


def _set_matmul_precision(stack: ExitStack) -> None:
    try:
        was = torch.get_float32_matmul_precision()
    except RuntimeError:
        # The caller mixed the older and the newer switches, and torch refuses to answer. The newer ones
        # decide then, and they are saved by themselves.
        return
    torch.set_float32_matmul_precision("highest")
    stack.callback(torch.set_float32_matmul_precision, was)


def _set_flag(stack: ExitStack, path: str, name: str, value: bool) -> None:
    backend = _backend(path)
    try:
        was = getattr(backend, name)
    except (AttributeError, RuntimeError):  # RuntimeError as above
        return
    setattr(backend, name, value)
    stack.callback(setattr, backend, name, was)


def _operation_precisions() -> dict[str, str]:
    found = {path: getattr(_backend(path), "fp32_precision", None) for path in _OPERATIONS}
    return {path: precision for path, precision in found.items() if isinstance(precision, str)}


def _set_operations(precisions: Mapping[str, str]) -> None:
    for path, precision in precisions.items():
        _backend(path).fp32_precision = precision


def _backend(path: str) -> Any:
    found: Any = torch.backends
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


LARGEST_THRESHOLD = 32 << 20
"""Bytes; glibc's ``DEFAULT_MMAP_THRESHOLD_MAX`` on 64-bit systems."""


def keep_freed_memory() -> None:
    """Let the allocator keep freed memory for the next batch instead of returning it to the system.

    glibc takes a large block straight from the system and returns it when it is freed, until the first such
    block of a size is freed: from then on blocks of up to that size are kept (``mallopt(3)``, dynamic
    threshold). A check frees the hidden states of every batch, and asking for their pages again and again
    costs up to a tenth of it. Elsewhere this does nothing.
    """
    torch.empty(
        LARGEST_THRESHOLD - (8 << 10), dtype=torch.uint8
    )  # freed at once; its pages are never touched
