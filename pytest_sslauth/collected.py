"""``sslauth.toml`` as a file of tests: each encoder is one item, and each endpoint another.

An item is an empty test with the marker ``sslauth``: the check is the one that every marked test gets.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.fixtures import TopRequest

from pytest_sslauth.failure import MisuseError
from pytest_sslauth.options import Settings
from pytest_sslauth.record import PROPERTY, Evidence

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin

ENDPOINT = "@endpoint"
"""What the item of an entry's endpoint is called after the entry."""

MOST_NAMES = 10
"""Encoders that a line names; the others are counted."""


class EncoderItem(pytest.Item):
    """One encoder of ``sslauth.toml``, or the endpoint beside it.

    Args:
        line: on which the entry begins, from 1.
        asks: what the marker asks for.
    """

    def __init__(self, *, line: int, asks: Mapping[str, Any], **rest: Any) -> None:
        super().__init__(**rest)
        self._line = line
        # as doctests do it: an item that is no function can ask for fixtures, here those that are settings
        self.funcargs: dict[str, object] = {}
        self._fixtureinfo = SimpleNamespace(name2fixturedefs={})  # it is given none that it does not ask for
        self._request = TopRequest(self, _ispytest=True)  # type: ignore[arg-type]
        self.add_marker(pytest.mark.sslauth(**asks))

    def runtest(self) -> None:
        """Nothing is left to do, as the marker was checked before: unless somebody took it away.

        Raises:
            MisuseError: nothing was checked.
        """
        if PROPERTY not in dict(self.user_properties):
            raise MisuseError(
                f"{self.nodeid}: nothing was checked, as the item has no marker sslauth any more"
            )

    def reportinfo(self) -> tuple[Path, int, str]:
        """The entry's place in the file, for reports and editors."""
        return self.path, self._line - 1, self.name


class ConfigFile(pytest.File):
    """The ``sslauth.toml`` of a project."""

    def collect(self) -> Iterator[EncoderItem]:
        """Items in the order of the file.

        Raises:
            pytest.Collector.CollectError: the file cannot be read, or is not as it should be.
        """
        from hf_integration.base.errors import SSLAuthError
        from hf_integration.checking.pins import line_of, read_pins

        try:
            pins = read_pins(self.path)
        except SSLAuthError as error:
            raise self.CollectError(f"{error}; nothing in it was checked") from None
        for pin in pins.encoders.values():
            line = line_of(pins.text, ("encoders", pin.name))
            for name, asks in _items(pin):
                yield EncoderItem.from_parent(self, name=name, line=line, asks=asks)


def _items(pin: "Pin") -> Iterator[tuple[str, Mapping[str, Any]]]:
    # whose answers are held against a card has no weights to be checked
    if pin.endpoint is None or not pin.endpoint.by_card:
        yield pin.name, {"encoder": pin.name}
    if pin.endpoint is not None:
        yield f"{pin.name}{ENDPOINT}", {"encoder": pin.name, "endpoint": True}


def collected_file(path: Path, parent: pytest.Collector, settings: Settings) -> ConfigFile | None:
    """The collector of a file, if it is the one whose pins are enforced.

    Args:
        path: a file that pytest came by.
        parent: where pytest found it.
        settings: of the session.
    """
    if path.name != settings.config.name or not _same(path, settings.config):
        return None
    return ConfigFile.from_parent(parent, path=path)


def include(config: pytest.Config, settings: Settings) -> None:
    """Let pytest collect the file although nobody named it, where nobody named any other path.

    Every process of pytest-xdist does so: the controller hands its workers the command line alone.
    """
    file = settings.config
    if config.args_source is config.ArgsSource.ARGS or not file.is_file():
        return
    here = config.invocation_params.dir
    is_ignored = any(_same(here / path, file) for path in config.getoption("ignore") or ())
    if not is_ignored and not any(_holds(here / argument, file) for argument in config.args):
        config.args.append(str(file))


def _holds(place: Path, file: Path) -> bool:
    """Whether pytest comes by the file in a folder, unless ``norecursedirs`` keeps it out: both overlap."""
    return place.is_dir() and file.parent.resolve().is_relative_to(place.resolve())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


class Configured:
    """Knows which encoders of the file no test of the run checked, whatever kept it from that.

    Args:
        settings: of the session.

    Attributes:
        places: of entries and of their endpoints: file, from rootdir, and line from 1; known when the
            session ends.
        left_out: names of items that nobody checked, known when the session ends.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._checked: set[str] = set()
        self.places: dict[str, tuple[str, int]] = {}
        self.left_out: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: evidence counts, and not that a test was run, which may skip."""
        file, _, item = report.nodeid.partition("::")
        for evidence in Evidence.on(report):
            if evidence.skipped:
                continue
            if Path(file).name == self._settings.config.name:
                self._checked.add(item)
            elif evidence.entry is not None:
                self._checked.add(f"{evidence.entry}{ENDPOINT if evidence.endpoint else ''}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Spec ``pytest_sessionfinish``: a required encoder that nobody checked fails the run."""
        if session.config.getoption("collectonly") or not self._settings.config.is_file():
            return
        from hf_integration.base.errors import SSLAuthError
        from hf_integration.checking.pins import line_of, read_pins

        file = os.path.relpath(self._settings.config, self._settings.rootdir)
        try:
            pins = read_pins(self._settings.config)
        except SSLAuthError as error:  # whatever was selected may not have needed it
            self.left_out = [f"what is in {self._settings.config.name} ({error})"]
        else:
            for pin in pins.encoders.values():
                place = file, line_of(pins.text, ("encoders", pin.name))
                self.places |= {pin.name: place, f"{pin.name}{ENDPOINT}": place}
                self.left_out += [name for name, _ in _items(pin) if name not in self._checked]
        if self.left_out and self._settings.require and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: name them, in one line."""
        names = self.left_out
        if not names:
            return
        from hf_integration.base.text import listed

        shown = listed(names, MOST_NAMES)
        what = "1 configured encoder was" if len(names) == 1 else f"{len(names)} configured encoders were"
        if self._settings.require:
            line = f"ERROR: {what} not checked, and --sslauth-require is set: {shown}"
            terminalreporter.line(line, red=True)
        else:
            terminalreporter.line(f"sslauth: {what} not checked: {shown}", yellow=True)
