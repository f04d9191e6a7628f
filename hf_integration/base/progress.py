"""Telling a waiting person how far things are, without the library ever printing."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """What long jobs report to; the command line draws a bar from it."""

    def start(self, what: str, total: int) -> None:
        """A stage of ``total`` steps begins."""

    def advance(self, count: int = 1) -> None:
        """So many steps of the stage are done."""


class Silent:
    """Progress that nobody watches."""

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

    def start(self, what: str, total: int) -> None:
        """Say so."""
        self._say(f"{what} ({total}) ...")

    def advance(self, count: int = 1) -> None:
        """Do nothing."""
