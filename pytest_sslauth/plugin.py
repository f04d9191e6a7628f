"""What pytest loads: options, marker, fixtures and hooks, each handing over at once.

Nothing here imports the engine before a check runs: an installed but unused plugin must not slow pytest down.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_sslauth.failure import holds_not_authentic
from pytest_sslauth.marker import marker_line
from pytest_sslauth.options import add_options, header_line, settings_of
from pytest_sslauth.session import SESSION, Session
from pytest_sslauth.summary import Summary

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from pytest_sslauth.sslauth import SSLAuth


def pytest_addoption(parser: pytest.Parser) -> None:
    """Spec ``pytest_addoption``: declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Spec ``pytest_configure``: declare the marker, read the settings, gather evidence on the controller."""
    config.addinivalue_line("markers", marker_line())
    config.stash[SESSION] = Session(settings_of(config))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Summary(), "sslauth-summary")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Spec ``pytest_report_header``: show settings that differ from their defaults."""
    return header_line(config.stash[SESSION].settings)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Spec ``pytest_runtest_setup``: check what the markers name, after skips and before any fixture."""
    item.config.stash[SESSION].begin(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Spec ``pytest_runtest_call``: check markers that fixtures added, and those that the test adds."""
    session = item.config.stash[SESSION]
    session.run(item)
    yield
    session.check(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Spec ``pytest_runtest_teardown``: check markers that came later still."""
    yield
    item.config.stash[SESSION].end(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spec ``pytest_runtest_makereport``: an encoder that is not authentic fails the test.

    Checks run before the test and in its fixtures, where pytest reports an error of the set-up; to a reader
    and to JUnit that says that the test suite is broken.
    """
    report = yield
    if call.excinfo is not None and holds_not_authentic(call.excinfo.value):
        # also under xfail: whatever that test is expected to do, an encoder that did not pass is not it
        report.outcome = "failed"
        report.__dict__.pop("wasxfail", None)
        if call.when == "setup":
            report.when = "call"
    return report


@pytest.fixture(scope="session")
def sslauth(pytestconfig: pytest.Config) -> "SSLAuth":
    """Authenticate encoders in a test: ``sslauth.assert_authentic("org/encoder")``."""
    return pytestconfig.stash[SESSION].sslauth()


@pytest.fixture
def authentic_encoder(request: pytest.FixtureRequest) -> "Encoder":
    """The encoder that the test's ``sslauth`` marker or indirect parameter names, authenticated."""
    return request.config.stash[SESSION].encoder_for(request)
