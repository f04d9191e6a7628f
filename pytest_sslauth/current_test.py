"""The test that runs now: a session-wide fixture does not know for which test it is used."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_sslauth.failure import NotAuthenticError, OutOfReachError, Refusal

if TYPE_CHECKING:
    import asyncio

    from hf_integration.encoders import Encoder
    from pytest_sslauth.option_values import Missing
    from pytest_sslauth.outcome import Outcome

T = TypeVar("T")


class CurrentTest:
    """Holds the test whose report the evidence of a check goes on, and what failed in it.

    Args:
        missing: gives what becomes of a test whose encoder is only out of reach.

    Attributes:
        failures: what checks raised since the test began, and in which thread. What becomes of it on its way
            through the test (a group, another exception, an entry of a list) does not matter.
        unsent: outcomes of checks that are on no report yet, each with the test that asked.
        of_fixtures: what checks raised while a fixture was set up that is still kept, and what ended that:
            pytest sets up a fixture of a wider scope once, and raises the same again for every test.
    """

    def __init__(self, missing: "Callable[[], Missing]") -> None:
        self._missing = missing
        self.item: pytest.Item | None = None
        self.failures: dict[Refusal, threading.Thread] = {}
        self.of_fixtures: dict[object, tuple[tuple[Refusal, ...], BaseException | None]] = {}
        self._tasks: list[tuple[Refusal, "asyncio.Task[Any]"]] = []  # noqa: UP037
        self._under_way: list[object] = []
        self._set_up_now: set[object] = set()
        self._held: dict[object, list[Encoder]] = {}
        self._told: dict[str, str] = {}
        self._found: dict[str, str] = {}
        self.unsent: list[tuple[Outcome, str]] = []

    def begin(self, item: pytest.Item) -> None:
        """Another test runs now."""
        self.item = item
        self.failures = {}
        self._tasks = []
        self._found = {}
        self._set_up_now = set()

    @property
    def name(self) -> str:
        """Id of the test, for messages."""
        return "no test" if self.item is None else self.item.nodeid

    def record(self, outcome: "Outcome") -> None:
        """Put the evidence of a check on the test's report, and keep the outcome for the controller."""
        if self.item is None:
            return
        replace(outcome.evidence, skipped=self.may_skip(outcome)).attach_to(self.item)
        self.unsent.append((outcome, self.name))

    def demand(self, outcome: "Outcome", wanted: "T | None") -> "T":
        """Put the evidence of a check on the test's report, and give what the test asked for.

        Args:
            outcome: of the check.
            wanted: what the test gets if nothing failed.

        Raises:
            NotAuthenticError: the check failed, or there is nothing to give.
            OutOfReachError: the encoder is out of reach, and tests may skip for that.
        """
        self.record(outcome)
        if outcome.failure or wanted is None:
            raise self.refusal([outcome])
        return wanted

    def may_skip(self, outcome: "Outcome") -> bool:
        """Whether a test that depends on this is skipped, and does not fail."""
        return outcome.out_of_reach and self._missing() == "skip"

    def refusal(self, outcomes: "Sequence[Outcome]") -> Refusal:
        """What ends a test for which these checks are no pass: it is skipped only if all of them may be."""
        if outcomes and all(self.may_skip(outcome) for outcome in outcomes):
            return OutOfReachError("; ".join(outcome.failure.partition("\n")[0] for outcome in outcomes))
        told = (self.told(outcome.failure or "nothing was checked") for outcome in outcomes)
        return NotAuthenticError("\n\n".join(told))

    def found(self, status: str, failure: str) -> None:
        """Remember what a verdict of this test says that the test looks at itself."""
        self._found[status] = failure

    def explained(self, left: object, right: object) -> list[str] | None:
        """Why a comparison with ``"authentic"`` failed: the report on the verdict that was compared."""
        for status, other in ((left, right), (right, left)):
            if other == "authentic" and isinstance(status, str) and (report := self._found.get(status)):
                return [f"{left!r} == {right!r}", "", *report.split("\n")]
        return None

    def told(self, failure: str) -> str:
        """A failure as this test shows it: whole the first time, and then where it was shown."""
        head, _, rest = failure.partition("\n")
        first = self._told.setdefault(failure, self.name)
        if first == self.name or rest.count("\n") < 2:  # as short as what would refer to it
            return failure
        return f"{head}\n{rest.partition(chr(10))[0]}\n  reported by {first}"

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Remember the failure of a check that is made within."""
        try:
            yield
        except (NotAuthenticError, OutOfReachError) as failure:
            self.failures.setdefault(failure, threading.current_thread())
            import asyncio  # not before something failed: a plugin that is not used must cost nothing

            with suppress(RuntimeError):  # no loop runs here
                if task := asyncio.current_task():
                    self._tasks.append((failure, task))
            raise

    @contextmanager
    def setting_up(self, fixture: object) -> Iterator[None]:
        """Remember with a fixture what fails while it is set up."""
        before, raised = set(self.failures), None
        self._under_way.append(fixture)
        self._set_up_now.add(fixture)
        try:
            yield
        except BaseException as error:
            raised = error
            raise
        finally:
            self._under_way.pop()
            if failed := tuple(failure for failure in self.failures if failure not in before):
                self.of_fixtures[fixture] = failed, raised

    def handed(self, encoder: "Encoder") -> None:
        """Remember who holds an encoder that was handed out: the fixture that is set up, if one is."""
        if self._under_way:
            self._held.setdefault(self._under_way[-1], []).append(encoder)

    def held_by_fixtures(self, item: pytest.Item) -> "list[Encoder]":
        """Encoders that were handed to fixtures of a test before it began."""
        return [
            encoder
            for fixture in _fixtures_of(item)
            if fixture not in self._set_up_now
            for encoder in self._held.get(fixture, ())
        ]

    def torn_down(self, fixture: object) -> None:
        """Nothing of a fixture is kept any more."""
        self.of_fixtures.pop(fixture, None)
        self._held.pop(fixture, None)

    def failures_of_fixtures(self, item: pytest.Item, raised: BaseException | None) -> tuple[Refusal, ...]:
        """What failed in fixtures that a test uses, whichever test they were set up for.

        What another test may skip for fails this one, if its own settings say so.

        Args:
            item: the test.
            raised: what ended it.
        """
        used = _fixtures_of(item)
        failures = [
            failure
            for fixture, (failed, ended) in self.of_fixtures.items()
            if fixture in used or (ended is not None and ended is raised)
            for failure in failed
        ]
        if any(isinstance(failure, OutOfReachError) for failure in failures) and self._missing() == "fail":
            return tuple(
                NotAuthenticError(failure.msg).with_traceback(failure.__traceback__) for failure in failures
            )
        return tuple(failures)

    @contextmanager
    def heeding_threads(self) -> Iterator[None]:
        """Raise what ended a thread, or a task that nobody asked: Python only prints it, and pytest warns."""
        ended: list[Refusal] = []
        before = threading.excepthook

        def note(args: threading.ExceptHookArgs) -> None:
            ended.extend(failure for failure, thread in self.failures.items() if thread is args.thread)
            before(args)

        threading.excepthook = note
        try:
            yield
        finally:
            threading.excepthook = before
            for failure, task in self._tasks:
                if _was_lost(task):
                    task.exception()  # asked for, so that Python does not print it some time later as well
                    ended.append(failure)
            if ended:
                raise ended[0]


def _fixtures_of(item: pytest.Item) -> list[object]:
    """The fixtures that a test was given."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    given = getattr(item, "funcargs", None) or ()  # a test that was skipped was given none
    return [fixture for name in given for fixture in known.get(name, ())]


def _was_lost(task: "asyncio.Task[Any]") -> bool:
    """Whether nobody ever asked how a task ended that failed; Python prints so when it forgets the task."""
    return task.done() and not task.cancelled() and bool(getattr(task, "_log_traceback", True))
