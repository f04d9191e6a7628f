"""Progress bars on standard error, for a person at a terminal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hf_integration.base.progress import about
from hf_integration.base.text import harmless


class Bars:
    """One bar per stage, the finished ones kept, and one for all where it is known how long they take.

    Args:
        drawn: rich's live display.
    """

    def __init__(self, drawn: Progress) -> None:
        self._drawn = drawn
        self._stage: TaskID | None = None
        self._all: TaskID | None = None
        self._stages: Mapping[str, float] = {}
        self._steps = 0.0
        self._left = 0.0

    def expect(self, seconds: float, stages: Mapping[str, float]) -> None:
        """A bar for all stages, which grows by what each takes."""
        self._stages = stages
        self._all = self._drawn.add_task(f"in all, {about(seconds)}", total=sum(stages.values()))

    def start(self, what: str, total: int) -> None:
        """A stage begins; the one before is complete."""
        self.finish()
        self._stage = self._drawn.add_task(escape(harmless(what, longest=60)), total=total)
        self._left = self._stages.get(what, 0.0)
        self._steps = self._left / max(total, 1)

    def advance(self, count: int = 1) -> None:
        """Steps of the stage are done."""
        if self._stage is not None:
            self._drawn.advance(self._stage, count)
            self._grow(count * self._steps)

    def _grow(self, share: float) -> None:
        share = min(share, self._left)
        self._left -= share
        if self._all is not None:
            self._drawn.advance(self._all, share)

    def finish(self) -> None:
        """The last stage is complete."""
        # a stage may take fewer steps than it announced (a search that ends at its first hit)
        self._grow(self._left)
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
        drawing = Bars(drawn)
        yield drawing
        drawing.finish()
