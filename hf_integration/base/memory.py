"""Memory of this process and of the machine."""

import ctypes
from collections.abc import Mapping
from contextlib import suppress

import psutil

from hf_integration.base.progress import Progress

SHARE = 0.6
"""Of what the system can give without swapping; others want some of it, too."""


def available_memory() -> float:
    """Bytes that may be taken."""
    return SHARE * float(psutil.virtual_memory().available)


class GivingBack:
    """Gives freed memory back to the system whenever a stage begins, and passes on what it is told.

    The system's allocator keeps what was freed between blocks that are in use. Stages that make and free
    tensors of many sizes would so take as much as all of them together.

    Args:
        told: is told how far things are.
    """

    def __init__(self, told: Progress) -> None:
        self._told = told

    def expect(self, seconds: float, stages: Mapping[str, float]) -> None:
        """Say so."""
        self._told.expect(seconds, stages)

    def start(self, what: str, total: int) -> None:
        """Give memory back, and say so."""
        give_back()
        self._told.start(what, total)

    def advance(self, count: int = 1) -> None:
        """Say so."""
        self._told.advance(count)


def give_back() -> None:
    """Give memory that was freed back to the system, where its C library can: glibc by ``malloc_trim(3)``."""
    with suppress(OSError, AttributeError, TypeError):  # TypeError: ctypes opens no process itself on Windows
        ctypes.CDLL(None).malloc_trim(0)
