"""Cards of the project that no test of a run used: named only where the run was a whole one."""

from pathlib import Path
from typing import Any

import pytest

from pytest_sslauth.options import Settings
from pytest_sslauth.record import Evidence

_DESELECTED = "sslauth_deselected"
"""What a worker of pytest-xdist tells its controller, which collects nothing itself."""

MOST_NAMES = 10
"""Cards that a line names; the others are counted."""


class Deselection:
    """Notes in a worker whether tests were deselected there, by whatever did it."""

    def __init__(self) -> None:
        self._any = False

    def pytest_deselected(self) -> None:
        """Spec ``pytest_deselected``: the run is not a whole one."""
        self._any = True

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Spec ``pytest_sessionfinish``: tell the controller."""
        getattr(session.config, "workeroutput", {})[_DESELECTED] = self._any


class UnusedCards:
    """Knows which cards tests used, and whether all tests were to run.

    Args:
        settings: of the session.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._used: set[str] = set()
        self._skipped = 0
        self._partial = False
        self._unused: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: a card is used whatever came out."""
        self._used.update(evidence.used for evidence in Evidence.on(report) if evidence.used is not None)
        self._skipped += report.skipped

    def pytest_deselected(self) -> None:
        """Spec ``pytest_deselected``: the run is not a whole one."""
        self._partial = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Spec ``pytest_collectreport``: what cannot be collected does not run, or is skipped whole."""
        self._partial = self._partial or not report.passed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Spec ``pytest_testnodedown`` of pytest-xdist: what a worker says, unless it died."""
        self._partial = (
            self._partial or bool(error) or getattr(node, "workeroutput", {}).get(_DESELECTED, True)
        )

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Spec ``pytest_sessionfinish``: look what is there, after a whole run."""
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        stopped = session.shouldstop or session.shouldfail
        if not self._partial and ended and not stopped and _asks_for_all(session.config):
            self._unused = [name for name in _cards(self._settings.cards) if name not in self._used]

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: name them, in one line."""
        names = self._unused
        if not names:
            return
        from hf_integration.base.text import harmless, listed

        shown = listed(names, MOST_NAMES)
        what = "1 card" if len(names) == 1 else f"{len(names)} cards"
        skipped = f" (skipped: {self._skipped})" if self._skipped else ""
        place = harmless(self._settings.cards.name)
        terminalreporter.line(f"sslauth: {what} in {place} that no test used{skipped}: {shown}", yellow=True)


def _asks_for_all(config: pytest.Config) -> bool:
    """Whether no option or path leaves tests out before they are known."""
    left_out = any(config.getoption(name) for name in ("collectonly", "ignore", "ignore_glob", "deselect"))
    source, sources = config.args_source, config.ArgsSource
    whole = source is sources.TESTPATHS or (
        source is sources.INVOCATION_DIR and config.invocation_params.dir == config.rootpath
    )
    return whole and not left_out


def _cards(folder: Path) -> list[str]:
    """Names of the folders that hold a card, in the order of the alphabet."""
    from hf_integration.base.vocabulary import CARD_FILE, TENSOR_FILE

    try:
        places = sorted(place for place in folder.iterdir() if place.is_dir())
        return [
            place.name
            for place in places
            if all((place / file).is_file() for file in (CARD_FILE, TENSOR_FILE))
        ]
    except OSError:
        return []
