"""What a process that reads a pickle may do: read files, within bounds of memory and time, and nothing else.

None of this is what safety rests on: ``weights_only`` is, which builds tensors and calls nothing that a
pickle names. This is for the day on which that has a flaw. Code in C is not seen by audit hooks.
"""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ALLOWED = frozenset(
    {
        # what imports raise; libraries import parts of themselves when they are needed
        *("import", "exec", "compile", "marshal.load", "marshal.loads", "code.__new__", "function.__new__"),
        *("os.listdir", "os.scandir", "os.walk", "glob.glob", "mmap.__new__"),
        *("object.__getattr__", "object.__setattr__", "object.__delattr__", "builtins.id"),
        *("sys._getframe", "sys._getframemodulename", "sys.excepthook", "sys.unraisablehook"),
        *("gc.get_objects", "gc.get_referrers", "gc.get_referents", "time.sleep"),
        *("resource.setrlimit", "resource.prlimit"),
    }
)
"""Audit events (PEP 578) that a process goes on with; ``open`` is looked at more closely. None is of sockets,
processes, signals, foreign functions, changes of the file system, or Python's own unpickler."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_TIMES, _ROOM = 6, 1 << 30
"""Memory: the file, what it holds again as it is written, each of several names of one tensor once more."""

_SECONDS, _RATE = 120, 5 << 20
"""Processor time: to begin with, and for so many bytes one second more."""


_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
"""``CLONE_NEWUSER`` and ``CLONE_NEWNET`` of ``unshare(2)``."""


def leave_the_network() -> bool:
    """Put this process into a network of its own, in which there is nothing, where Linux lets it.

    Unlike what :func:`confine` does, this holds for code in C as well. Many containers do not permit it.

    Returns:
        Whether it did.
    """
    if not sys.platform.startswith("linux"):
        return False
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        return any(library.unshare(kinds) == 0 for kinds in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK))
    return False


class NotAllowedError(Exception):
    """The process was about to do something that reading tensors has no use for."""


def confine(size: int) -> list[str]:
    """Confine this process for good.

    Args:
        size: bytes of the largest file that it is to read.

    Returns:
        What it was kept from, from then on: whoever is refused may go on as if nothing were.
    """
    _limit(size)
    refused: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ALLOWED:
            return
        if event == "open":
            _, mode, flags = arguments
            writes = isinstance(mode, str) and not set(mode).isdisjoint("wax+")
            if not writes and not (isinstance(flags, int) and flags & _WRITING):
                return
        refused.append(event)
        raise NotAllowedError(event)

    sys.addaudithook(hook)
    return refused


def _limit(size: int) -> None:
    """Bound memory, time, and the files that are left by a crash, where the system has such bounds."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: _SECONDS + size // _RATE}
    with suppress(OSError, ValueError):  # Linux; elsewhere the bound is not kept
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + _TIMES * size + _ROOM
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (bounded, bounded))
