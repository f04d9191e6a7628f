"""The marker ``sslauth``: what it asks for, and where pytest never looks at one."""

import inspect
import os
import sys
import unittest
import unittest.case
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.failure import MisuseError
from pytest_sslauth.options import PRECISIONS, precision_of

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Precision


EXAMPLE = '@pytest.mark.sslauth("org/encoder", revision="<commit>")'


@dataclass(frozen=True)
class CheckRequest:
    """Which encoder to check, against which card, and how.

    Attributes:
        encoder: folder or Hub repo id, as the caller wrote it.
        revision: branch, tag or commit of a Hub repo.
        card: folder or Hub repo id of the card; by default looked up among the project's cards.
        precision: arithmetic of the check; by default the strictest at hand.
    """

    encoder: str
    revision: str | None = None
    card: str | None = None
    precision: "Precision | None" = None


def sslauth(
    encoder: str, *, revision: str | None = None, card: str | None = None, precision: str | None = None
) -> CheckRequest:
    """Authenticate this encoder before the test; it fails unless the encoder is authentic.

    This function is never called by a test: its signature is the marker's.

    Raises:
        TypeError: an argument of another type.
        ValueError: an empty name or an unknown precision.
    """
    chosen = None if precision is None else precision_of(precision)
    if precision is not None and chosen is None:
        raise ValueError(f"unknown precision {precision!r}, choose one of {', '.join(PRECISIONS)}")
    return CheckRequest(
        encoder=_name("encoder", encoder),
        revision=None if revision is None else _name("revision", revision),
        card=None if card is None else _name("card", card),
        precision=chosen,
    )


def marker_line() -> str:
    """The line of ``pytest --markers``, generated from the function that reads the marker."""
    signature = inspect.signature(sslauth).replace(return_annotation=inspect.Signature.empty)
    summary = (sslauth.__doc__ or "").partition("\n")[0]
    return f"sslauth{signature}: {summary}"


def read_marker(mark: pytest.Mark, nodeid: str) -> CheckRequest:
    """What one marker asks for.

    Raises:
        MisuseError: its arguments are not those of :func:`sslauth`; names the test.
    """
    return _read(mark.args, mark.kwargs, where=f"{nodeid}: @pytest.mark.sslauth")


def read_parameter(value: object, nodeid: str) -> CheckRequest:
    """What a parameter of ``authentic_encoder`` asks for.

    Args:
        value: a name, a tuple in the order encoder, revision, card, precision, or a dictionary of these.
        nodeid: the test, for the message.

    Raises:
        MisuseError: it is none of these; names the test.
    """
    where = f"{nodeid}: parameter of authentic_encoder"
    if isinstance(value, str | os.PathLike):
        return _read((value,), {}, where=where)
    if isinstance(value, Mapping):
        return _read((), value, where=where)
    if isinstance(value, tuple) and 1 <= len(value) <= 4:
        names = ("encoder", "revision", "card", "precision")
        return _read((), dict(zip(names, value, strict=False)), where=where)
    raise MisuseError(
        f"{where}: {value!r} is neither the name of an encoder, nor a tuple (encoder, revision, card, "
        "precision), nor a dictionary of these"
    )


def _read(args: tuple[object, ...], kwargs: Mapping[str, Any], *, where: str) -> CheckRequest:
    try:
        return sslauth(*args, **kwargs)  # type: ignore[arg-type]  # checked by the function itself
    except (TypeError, ValueError) as error:
        raise MisuseError(f"{where}: {error}; nothing was checked (write for example {EXAMPLE})") from None


def _name(what: str, value: object) -> str:
    """A name, or a path as text; anything else is refused, an empty one too."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    name = os.fspath(value)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{what} is empty")
    return name


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
