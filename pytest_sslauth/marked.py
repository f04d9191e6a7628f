"""Where markers are: on a test before it runs, too late on one that runs, or where pytest never looks."""

import inspect
import sys
import unittest
import unittest.case
from pathlib import Path
from types import ModuleType

import pytest

from pytest_sslauth.failure import MisuseError
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


IDLE = (
    "{}: pytestmark with sslauth marks no test outside of test modules (mark those, or add the marker in "
    "pytest_collection_modifyitems)"
)


NO_TEST = "{}::{}: marker sslauth on something that is not a test, so nothing is checked (mark the tests)"


def refuse_idle_mark(plugin: object) -> None:
    """Refuse a ``conftest.py`` that marks itself: pytest obeys ``pytestmark`` in test modules only.

    Raises:
        pytest.UsageError: it does.
    """
    file = getattr(plugin, "__file__", None) if isinstance(plugin, ModuleType) else None
    if file is None or Path(file).name != "conftest.py":
        return
    if _marks_itself(plugin):
        raise pytest.UsageError(IDLE.format(file))
    if name := next((name for name, value in vars(plugin).items() if _is_marked(value)), None):
        raise pytest.UsageError(NO_TEST.format(file, name))


def refuse_idle_packages(item: pytest.Item) -> None:
    """The same for the packages of a test, whose ``__init__.py`` is no plugin of pytest."""
    own = getattr(item, "module", None)
    package = getattr(own, "__package__", None) or ""
    while package:
        module = sys.modules.get(package)
        if module is not None and module is not own and _marks_itself(module):
            raise MisuseError(IDLE.format(module.__file__))
        package = package.rpartition(".")[0]


def refuse_idle_marks(collector: pytest.Collector, name: str, value: object, collected: object) -> None:
    """Refuse a marker on something in a test module or class that is no test.

    Args:
        collector: the module or class.
        name: of something in it.
        value: what it is.
        collected: what pytest made of it.

    Raises:
        pytest.Collector.CollectError: it has such a marker.
    """
    idle: list[str] = []
    if not inspect.isclass(value):
        idle = [name] if _is_marked(value) and not collected else []
    elif issubclass(value, unittest.TestCase):
        tests = {"runTest", *unittest.TestLoader().getTestCaseNames(value)}
        members = {key: member for kind in reversed(value.__mro__) for key, member in vars(kind).items()}
        idle = [f"{name}::{key}" for key in members if key not in tests and _is_marked(members[key])]
    elif not collected and not value.__subclasses__():  # marks of a base class are those of its tests
        idle = [name] if _holds_mark(vars(value).get("pytestmark", ())) else []
        idle += [f"{name}::{key}" for key, member in vars(value).items() if _is_marked(member)]
    if idle:
        raise pytest.Collector.CollectError(NO_TEST.format(collector.nodeid, idle[0]))


def _is_marked(value: object) -> bool:
    """Whether a function, or what was made of one, has a marker; nothing of it is run to find out."""
    if isinstance(value, ModuleType) or inspect.isclass(value):
        return False
    found = [
        value,
        *(inspect.getattr_static(value, name, None) for name in ("__wrapped__", "_fixture_function")),
    ]
    if isinstance(value, staticmethod | classmethod):
        found.append(value.__func__)
    if isinstance(value, property):
        found.append(value.fget)
    if isinstance(value, pytest.MarkDecorator):  # what older releases of pytest make of other than functions
        holds = any(isinstance(argument, classmethod | staticmethod | property) for argument in value.args)
        return holds and value.name == "sslauth"
    return any(_holds_mark(inspect.getattr_static(one, "pytestmark", ())) for one in found)


def _marks_itself(module: object) -> bool:
    return _holds_mark(getattr(module, "pytestmark", ()))


def _holds_mark(marks: object) -> bool:
    several = marks if isinstance(marks, list | tuple) else (marks,)
    return any(getattr(mark, "name", None) == "sslauth" for mark in several)
