"""Which device an encoder runs on."""

import torch

from hf_integration.encoders.processes import launch_state
from hf_integration.errors import UsageError


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


def supports_float64(device: torch.device | str) -> bool:
    """Whether a device computes in float64; Apple's GPUs do not."""
    return torch.device(device).type != "mps"
