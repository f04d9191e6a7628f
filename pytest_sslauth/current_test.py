"""The test that runs now: a session-wide fixture does not know for which test it is used."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_sslauth.evidence import Evidence
from pytest_sslauth.failure import NotAuthenticError


class CurrentTest:
    """Holds the test whose report the evidence of a check goes on, and what failed in it.

    Attributes:
        failures: what checks raised since the test began, and in which thread. What becomes of it on its way
            through the test (a group, another exception, an entry of a list) does not matter.
    """

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        self.failures: dict[NotAuthenticError, threading.Thread] = {}

    def begin(self, item: pytest.Item) -> None:
        """Another test runs now."""
        self.item = item
        self.failures = {}

    @property
    def name(self) -> str:
        """Id of the test, for messages."""
        return "no test" if self.item is None else self.item.nodeid

    def record(self, evidence: Evidence) -> None:
        """Put evidence on the test's report."""
        if self.item is not None:
            evidence.attach_to(self.item)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Remember the failure of a check that is made within."""
        try:
            yield
        except NotAuthenticError as failure:
            self.failures.setdefault(failure, threading.current_thread())
            raise

    @contextmanager
    def heeding_threads(self) -> Iterator[None]:
        """Raise what ended a thread: Python only prints it, and pytest warns."""
        ended: list[NotAuthenticError] = []
        before = threading.excepthook

        def note(args: threading.ExceptHookArgs) -> None:
            ended.extend(failure for failure, thread in self.failures.items() if thread is args.thread)
            before(args)

        threading.excepthook = note
        try:
            yield
        finally:
            threading.excepthook = before
            if ended:
                raise ended[0]
