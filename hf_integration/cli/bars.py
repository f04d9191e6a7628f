"""Progress bars on standard error, for a person at a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hf_integration.base.text import harmless


class Bars:
    """One bar per stage, the finished ones kept.

    Args:
        drawn: rich's live display.
    """

    def __init__(self, drawn: Progress) -> None:
        self._drawn = drawn
        self._stage: TaskID | None = None

    def start(self, what: str, total: int) -> None:
        """A stage begins; the one before is complete."""
        self._finish()
        self._stage = self._drawn.add_task(escape(harmless(what, longest=60)), total=total)

    def advance(self, count: int = 1) -> None:
        """Steps of the stage are done."""
        if self._stage is not None:
            self._drawn.advance(self._stage, count)

    def _finish(self) -> None:
        # a stage may take fewer steps than it announced (a search that ends at its first hit)
        if self._stage is not None:
            self._drawn.update(self._stage, completed=self._drawn.tasks[self._stage].total)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars that are drawn as long as the context lasts."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as drawn:
        yield Bars(drawn)
