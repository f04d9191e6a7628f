"""Markers where pytest never looks: whoever wrote them believes that an encoder is checked."""

import inspect
import sys
import unittest
from pathlib import Path
from types import ModuleType

import pytest

from pytest_sslauth.failure import MisuseError

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
