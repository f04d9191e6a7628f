"""Pictures in the report of the plugin pytest-html: the controller adds them to reports of tests."""

import pytest

from pytest_sslauth.gathered import Gathered

NAME = "sslauth: expected and reconstructed watermarks"
"""What pytest-html calls a picture. Nothing of somebody else's is in it."""

MOST_TESTS = 50
"""Tests that show the picture of one check: with a copy in each of thousands no browser opens the report."""

LONGEST_NAME = 200
"""Bytes of a test's name in the name of a file, which file systems and pytest-html have room for."""


class HtmlPlugin:
    """Shows in each test's row what was found out about its encoders.

    Args:
        gathered: what reports carry.
    """

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self._shown: dict[str, int] = {}
        self._left_out = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: pytest-html looks at ``extras`` after everybody else."""
        for outcome in self._gathered.on(report):
            if outcome["picture"] is None:
                continue
            shown = self._shown[outcome["key"]] = self._shown.get(outcome["key"], 0) + 1
            if shown > MOST_TESTS or not _can_name_a_file(report.nodeid):
                self._left_out += 1
                continue
            from pytest_html import extras

            pictures = [*getattr(report, "extras", ()), extras.png(outcome["picture"], NAME)]
            setattr(report, "extras", pictures)  # noqa: B010  # an attribute that pytest does not know

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: say how many tests show no picture."""
        if self._left_out:
            said = f"sslauth: {self._left_out} pictures were left out of the report of pytest-html"
            terminalreporter.line(said)


def _can_name_a_file(nodeid: str) -> bool:
    """Whether pytest-html can write a picture: it names files by tests, and ends the run where it cannot."""
    try:
        return len(nodeid.encode("utf-8").decode("unicode_escape").encode("utf-8")) <= LONGEST_NAME
    except (UnicodeDecodeError, UnicodeEncodeError):
        return False
