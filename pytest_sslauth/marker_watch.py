"""Which markers of a test were looked at: fixtures and the test itself may add more while it runs."""

import unittest
import unittest.case

import pytest

from pytest_sslauth.failure import MisuseError
from pytest_sslauth.idle_marks import refuse_idle_packages
from pytest_sslauth.marker import CheckRequest, read_marker


class MarkerWatch:
    """Knows what was asked for, so that a marker which comes later is neither missed nor checked twice."""

    def __init__(self) -> None:
        self._known: set[CheckRequest] = set()
        self._ran = False

    def begin(self) -> None:
        """Another test begins."""
        self._known = set()
        self._ran = False

    def test_runs(self) -> None:
        """From here on a new marker is too late; before, a test may still be skipped and run nothing."""
        self._ran = True

    def unchecked(self, item: pytest.Item) -> list[CheckRequest]:
        """What the markers of a test, its class and its module ask for and did not at the last look.

        Raises:
            MisuseError: a marker does not say what to check, or is where pytest never looks.
        """
        if _never_runs(item):
            return []
        refuse_idle_packages(item)
        asked = dict.fromkeys(read_marker(mark, item.nodeid) for mark in item.iter_markers("sslauth"))
        new = [request for request in asked if request not in self._known]
        self._known.update(new)
        return new

    def refuse_late(self, item: pytest.Item) -> None:
        """Fail a test that was marked when it had begun to run.

        Raises:
            MisuseError: it has a marker that was not checked before it ran.
        """
        if self._ran and (late := self.unchecked(item)):
            names = ", ".join(repr(request.encoder) for request in late)
            raise MisuseError(
                f"{item.nodeid}: marker sslauth added too late: {names} was not checked before the test ran "
                "(mark the test, let a fixture do it, or call sslauth.assert_authentic)"
            )


def _never_runs(item: pytest.Item) -> bool:
    """Whether ``unittest``'s own decorators skip a test, which pytest finds out only after its set-up began.

    A plain class obeys no attribute of ``unittest``; a plain function does where the decorator replaced it.
    """
    function, owner = getattr(item, "obj", None), getattr(item, "cls", None)
    if isinstance(owner, type) and issubclass(owner, unittest.TestCase):
        return any(getattr(place, "__unittest_skip__", False) for place in (owner, function))
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename == unittest.case.__file__
