"""``sslauth.toml`` as a file of tests: each encoder is one item, and each endpoint another.

An item is an empty test with the marker ``sslauth``: the check is the one that every marked test gets.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.options import Settings

if TYPE_CHECKING:
    from hf_integration.checking.pins import Pin, Pins

ENDPOINT = "@endpoint"
"""What the item of an entry's endpoint is called after the entry."""


class EncoderItem(pytest.Item):
    """One encoder of ``sslauth.toml``, or the endpoint beside it.

    Args:
        line: on which the entry begins, from 1.
        asks: what the marker asks for.
    """

    def __init__(self, *, line: int, asks: Mapping[str, Any], **rest: Any) -> None:
        super().__init__(**rest)
        self._line = line
        self.add_marker(pytest.mark.sslauth(**asks))

    def runtest(self) -> None:
        """Nothing is left to do: the marker was checked before."""

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


def item_names(pins: "Pins") -> list[str]:
    """Names of all items of a file."""
    return [name for pin in pins.encoders.values() for name, _ in _items(pin)]


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
    """Whether a folder is one that pytest comes by the file in."""
    return place.is_dir() and file.parent.resolve().is_relative_to(place.resolve())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def not_checked(pins: "Pins", checked: Iterable[str], used: Iterable[str]) -> list[str]:
    """Items of a file that no test of the run stands for.

    Args:
        pins: the file's entries.
        checked: names of the items that were run.
        used: entries, with :data:`ENDPOINT` where their endpoint was asked, that other tests checked.
    """
    known = {*checked, *used}
    return [name for name in item_names(pins) if name not in known]
