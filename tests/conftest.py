"""What every test relies on: an environment that is the same on a desk and in a continuous integration."""

import signal
from collections.abc import Iterator

import pytest

STEERING = ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "FORCE_COLOR", "NO_COLOR", "PY_COLORS")
"""Variables by which pytest, rich or sslauth behave otherwise; a test that is about one sets it itself."""


@pytest.fixture(scope="session", autouse=True)
def same_environment_everywhere() -> Iterator[None]:
    """Processes that a test starts inherit this environment too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in STEERING:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def signals_are_heeded() -> None:
    """Processes that a test starts inherit what ``nohup`` and shells in the background ignore, too."""
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
