"""Settings as fixtures: a project overrides one of them in a ``conftest.py``, for all tests below it.

They are looked up before the first other fixture of a test, as markers are checked before that.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.failure import MisuseError
from pytest_sslauth.option_values import Missing
from pytest_sslauth.options import OPTIONS, SETTINGS, Settings

if TYPE_CHECKING:
    from hf_integration.base.vocabulary import Precision


@pytest.fixture(scope="session")
def sslauth_device(pytestconfig: pytest.Config) -> str | None:
    """Where encoders are loaded: override it to return ``"cpu"`` or ``"cuda:1"``; ``None`` is the best."""
    return pytestconfig.stash[SETTINGS].device


@pytest.fixture(scope="session")
def sslauth_precision(pytestconfig: pytest.Config) -> "Precision | None":
    """Arithmetic of checks that name none: override it to return ``"float32"``; ``None`` is the strictest."""
    return pytestconfig.stash[SETTINGS].precision


@pytest.fixture(scope="session")
def sslauth_budget(pytestconfig: pytest.Config) -> float | None:
    """Seconds that the key samples of one check may take: override it to return a number: ``None`` is all."""
    return pytestconfig.stash[SETTINGS].budget


@pytest.fixture(scope="session")
def sslauth_cards(pytestconfig: pytest.Config) -> Path:
    """The folder of watermark cards: override it to return another one."""
    return pytestconfig.stash[SETTINGS].cards


@pytest.fixture(scope="session")
def sslauth_cache_dir(pytestconfig: pytest.Config) -> Path | None:
    """The cache of the Hub: override it to return a folder; ``None`` is the usual one."""
    return pytestconfig.stash[SETTINGS].cache_dir


@pytest.fixture(scope="session")
def sslauth_missing(pytestconfig: pytest.Config) -> Missing:
    """What becomes of tests whose encoder is out of reach: override it to return ``"skip"`` or ``"fail"``."""
    return pytestconfig.stash[SETTINGS].missing


LAYERS: Sequence[str] = ("device", "precision", "budget", "cards", "cache_dir", "missing")
"""Settings that are fixtures too. What is trusted is none: only options and ``sslauth.toml`` say that."""

_WRAPPED = ("setup", "teardown")

_READERS = {option.name: option.read for option in OPTIONS}


def layered(item: pytest.Item | None, usual: Settings) -> Settings:
    """The settings of a test, as the fixtures that it sees say.

    Args:
        item: the test; an item without fixtures has the usual settings.
        usual: what the options say.

    Raises:
        MisuseError: a fixture returns what cannot be used.
    """
    request = getattr(item, "_request", None)
    if not isinstance(request, pytest.FixtureRequest):
        return usual
    said = {name: _read(name, request.getfixturevalue(f"sslauth_{name}"), usual) for name in LAYERS}
    return replace(usual, **said)


def first_in_set_up(item: pytest.Item, check: Callable[[], None]) -> None:
    """Let something run first of all in the set-up of a test: only there can it ask for fixtures.

    If it raises, neither the set-up of the test runs nor what takes that down again.

    Args:
        item: the test, which is set up next.
        check: what runs first.
    """
    mine = vars(item)
    for name in _WRAPPED:  # of a run that ended before
        if hasattr(mine.get(name), "usual"):
            mine[name] = mine[name].usual
    usual, take_down, begun = item.setup, item.teardown, []

    def setup() -> None:
        __tracebackhide__ = True
        check()
        begun.append(True)
        usual()

    def teardown() -> None:
        __tracebackhide__ = True
        if begun:
            take_down()

    for name, wrapper, wrapped in zip(_WRAPPED, (setup, teardown), (usual, take_down), strict=True):
        wrapper.usual = wrapped  # type: ignore[attr-defined]
        mine[name] = wrapper


def _read(name: str, value: object, usual: Settings) -> Any:
    """What a fixture returned, as the option of the same name is read."""
    read, otherwise = _READERS[name], getattr(usual, name)
    if value is None:
        return otherwise if name in ("cards", "missing") else None  # of these something is always chosen
    if value == otherwise or read is None:
        return value
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else str(value)
    try:
        return read(text, usual.rootdir, f"fixture sslauth_{name}")
    except pytest.UsageError as error:
        raise MisuseError(f"{error}; nothing was checked") from None
