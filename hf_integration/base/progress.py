"""Telling a waiting person how far things are, without the library ever printing."""

from collections.abc import Callable, Mapping
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


def about(seconds: float) -> str:
    """A time in words: ``about 40 seconds``, ``about 3 minutes``, ``about 2 hours``."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"about {round(seconds / size)} {unit}s"
    return f"about {max(10, round(seconds, -1)):.0f} seconds"
