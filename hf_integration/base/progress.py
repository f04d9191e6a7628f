"""Telling a waiting person how far things are, without the library ever printing."""

import ctypes
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol


class Progress(Protocol):
    """What long jobs report to; the command line draws a bar from it."""

    def expect(self, seconds: float, stages: Mapping[str, float]) -> None:
        """What follows takes about so long.

        Args:
            seconds: on this machine, if nothing else runs on it.
            stages: the names of stages to come, and what each of them takes, in any unit.
        """

    def start(self, what: str, total: int) -> None:
        """A stage of ``total`` steps begins."""

    def advance(self, count: int = 1) -> None:
        """So many steps of the stage are done."""


class Silent:
    """Progress that nobody watches."""

    def expect(self, seconds: float, stages: Mapping[str, float]) -> None:
        """Do nothing."""

    def start(self, what: str, total: int) -> None:
        """Do nothing."""

    def advance(self, count: int = 1) -> None:
        """Do nothing."""


class StageLines:
    """A line as each stage begins, for logs: nobody should wonder for a minute whether anything happens.

    Args:
        say: is given the lines.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def expect(self, seconds: float, stages: Mapping[str, float]) -> None:  # noqa: ARG002
        """Say so."""
        self._say(f"this takes {about(seconds)} ...")

    def start(self, what: str, total: int) -> None:
        """Say so."""
        self._say(f"{what} ({total}) ...")

    def advance(self, count: int = 1) -> None:
        """Do nothing."""


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


def about(seconds: float) -> str:
    """A time in words: ``about 40 seconds``, ``about 3 minutes``, ``about 2 hours``."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"about {round(seconds / size)} {unit}s"
    return f"about {max(10, round(seconds, -1)):.0f} seconds"
