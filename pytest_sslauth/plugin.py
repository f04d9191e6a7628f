"""What pytest loads: options, marker, fixtures and hooks, each handing over at once.

Nothing here imports the engine before a check runs: an installed but unused plugin must not slow pytest down.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sslauth.collected import ConfigFile, Configured, collected_file, include
from pytest_sslauth.failure import unexcused
from pytest_sslauth.layers import (
    sslauth_budget,
    sslauth_cache_dir,
    sslauth_cards,
    sslauth_device,
    sslauth_missing,
    sslauth_precision,
)
from pytest_sslauth.marked import refuse_idle_mark, refuse_idle_marks
from pytest_sslauth.marker import marker_line
from pytest_sslauth.options import SETTINGS, Settings, add_options, header_line, may_observe, settings_of
from pytest_sslauth.record import Summary
from pytest_sslauth.session import SESSION, Session
from pytest_sslauth.unused import Deselection, UnusedCards

if TYPE_CHECKING:
    from hf_integration.encoders import Encoder
    from pytest_sslauth.endpoints import AuthenticEndpoint
    from pytest_sslauth.shared import SharedResults
    from pytest_sslauth.sslauth import AuthenticEncoders, SSLAuth


__all__ = [
    "sslauth_budget",
    "sslauth_cache_dir",
    "sslauth_cards",
    "sslauth_device",
    "sslauth_missing",
    "sslauth_precision",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Spec ``pytest_addoption``: declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Spec ``pytest_load_initial_conftests``: what a ``conftest.py`` loads is looked at as well."""
    if may_observe(early_config):
        from pytest_sslauth.observed import begin

        begin(early_config)


def pytest_plugin_registered(plugin: object) -> None:
    """Spec ``pytest_plugin_registered``: refuse a marker in a ``conftest.py``, which would mark nothing."""
    refuse_idle_mark(plugin)


def pytest_configure(config: pytest.Config) -> None:
    """Spec ``pytest_configure``: declare the marker, read the settings, gather evidence on the controller."""
    config.addinivalue_line("markers", marker_line())
    settings = config.stash[SETTINGS] = settings_of(config)
    session = config.stash[SESSION] = Session(settings, _shared(config))
    include(config, settings)
    if settings.observe is not None:
        from pytest_sslauth.observed import Observed

        config.pluginmanager.register(Observed(config, settings, session), "sslauth-observed")
    if not hasattr(config, "workerinput"):
        summary, configured = Summary(), Configured(settings)
        config.pluginmanager.register(configured, "sslauth-configured")
        config.pluginmanager.register(summary, "sslauth-summary")
        config.pluginmanager.register(UnusedCards(settings), "sslauth-unused")
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from pytest_sslauth.github import GitHub

            config.pluginmanager.register(GitHub(summary, configured), "sslauth-github")
        if settings.gathers:
            _register_writers(config, settings, configured)
    else:
        config.pluginmanager.register(Deselection(), "sslauth-deselection")


def _shared(config: pytest.Config) -> "SharedResults | None":
    """What a worker shares with others."""
    if not hasattr(config, "workerinput"):
        return None
    from pytest_sslauth.shared import SharedResults

    return SharedResults.of(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Spec ``pytest_configure_node`` of pytest-xdist: tell a worker what it shares with others."""
    from pytest_sslauth.shared import run_folder

    run_folder(node.config).tell(node.workerinput)


def _register_writers(config: pytest.Config, settings: Settings, configured: Configured) -> None:
    """What writes files at the end; imported by the runs that want some."""
    from pytest_sslauth.gathered import Gathered
    from pytest_sslauth.html_plugin import HtmlPlugin
    from pytest_sslauth.report_files import ReportFiles
    from pytest_sslauth.report_folder import ReportFolder

    gathered = Gathered(settings, configured)
    config.pluginmanager.register(gathered, "sslauth-gathered")
    if settings.files:
        config.pluginmanager.register(ReportFiles(settings, gathered), "sslauth-report-files")
    if settings.report_dir is not None:
        config.pluginmanager.register(ReportFolder(settings.report_dir, gathered), "sslauth-report-folder")
    if settings.pytest_html:
        config.pluginmanager.register(HtmlPlugin(gathered), "sslauth-html-plugin")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ConfigFile | None:
    """Spec ``pytest_collect_file``: the encoders of ``sslauth.toml`` are tests."""
    return collected_file(file_path, parent, parent.config.stash[SESSION].settings)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> Generator[None, object, object]:
    """Spec ``pytest_pycollect_makeitem``: refuse a marker on what is no test."""
    collected = yield
    refuse_idle_marks(collector, name, obj, collected)
    return collected


def pytest_report_header(config: pytest.Config) -> str | None:
    """Spec ``pytest_report_header``: show settings that differ from their defaults."""
    return header_line(config.stash[SESSION].settings)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Spec ``pytest_runtest_protocol``: the test before is over, also for a test that a mark will skip."""
    item.config.stash[SESSION].begin(item)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Spec ``pytest_runtest_setup``: check what the markers name, after skips and before any fixture."""
    item.config.stash[SESSION].set_up(item)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Spec ``pytest_runtest_call``: check what fixtures marked, refuse what the test marks itself."""
    with item.config.stash[SESSION].running(item):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Spec ``pytest_runtest_teardown``: refuse what is marked when the test is over."""
    with item.config.stash[SESSION].ending(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Spec ``pytest_fixture_setup``: what fails there fails every test that uses the fixture."""
    with request.config.stash[SESSION].setting_up(fixturedef):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spec ``pytest_runtest_makereport``: an encoder that is not authentic fails the test, always."""
    report = yield
    if failures := item.config.stash[SESSION].failures_of(item, call.excinfo and call.excinfo.value):
        unexcused(report, item, call, failures)
    item.config.stash[SESSION].put_on(report)
    return report


def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    """Spec ``pytest_assertrepr_compare``: ``assert verdict.status == "authentic"`` says what was found."""
    return config.stash[SESSION].explained(op, left, right)


def pytest_fixture_post_finalizer(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> None:
    """Spec ``pytest_fixture_post_finalizer``: the fixture will be set up anew."""
    request.config.stash[SESSION].torn_down(fixturedef)


@pytest.fixture(scope="session")
def sslauth(pytestconfig: pytest.Config) -> "SSLAuth":
    """Authenticate encoders in a test: ``sslauth.assert_authentic("org/encoder")``."""
    return pytestconfig.stash[SESSION].sslauth()


@pytest.fixture(scope="session")
def authentic_encoders(pytestconfig: pytest.Config) -> "AuthenticEncoders":
    """For fixtures of any scope: ``authentic_encoders("org/encoder")`` checks an encoder and hands it out."""
    return pytestconfig.stash[SESSION].encoders()


@pytest.fixture
def authentic_encoder(request: pytest.FixtureRequest) -> "Encoder":
    """The encoder the test's ``sslauth`` marker or indirect parameter names, authenticated."""
    return request.config.stash[SESSION].encoder_for(request)


@pytest.fixture
def authentic_endpoint(request: pytest.FixtureRequest) -> "AuthenticEndpoint":
    """The endpoint the test's ``sslauth`` marker or indirect parameter names, authenticated: it embeds."""
    return request.config.stash[SESSION].endpoint_for(request)
