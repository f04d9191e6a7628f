"""The page that ``--sslauth-html`` asks for: the controller writes it, from what reports of tests carry."""

import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

_CARRIED = "sslauth_outcomes"
"""Attribute of a report; pytest-xdist sends all of them from worker to controller."""


def put_on(report: pytest.TestReport, outcome: Mapping[str, Any]) -> None:
    """Let a report carry an outcome: whole, or one of before by its key."""
    setattr(report, _CARRIED, [*getattr(report, _CARRIED, ()), outcome])


class Page:
    """Gathers outcomes from reports, and writes the page at the end.

    Args:
        file: where.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._outcomes: dict[str, Mapping[str, Any]] = {}
        self._tests: dict[str, dict[str, None]] = {}
        self._said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: keep what the report of a test carries."""
        for outcome in getattr(report, _CARRIED, ()):
            self._outcomes.setdefault(outcome["key"], outcome)
            self._tests.setdefault(outcome["key"], {})[outcome["test"]] = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Spec ``pytest_sessionfinish``: write the page, also of a run without a check."""
        if session.config.getoption("collectonly"):
            return
        from hf_integration.base.errors import OutputError
        from hf_integration.base.output_files import write_whole

        try:
            write_whole(self._file, self._render().encode())
            self._said = f"page: {self._file}"
        except (OutputError, OSError) as error:
            self._said = f"no page was written: {error}"
            warnings.warn(pytest.PytestWarning(f"sslauth: {self._said}"), stacklevel=2)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: say where the page is."""
        if self._said:
            terminalreporter.line(f"sslauth: {self._said}")

    def _render(self) -> str:
        from hf_integration.report.html import Shown, StripImages, WithoutVerdict, html_page
        from hf_integration.verdict import Verdict

        shown, others = [], []
        for outcome, tests in self._merged():
            if outcome["verdict"] is None:
                encoder, reason, status, passed = outcome["short"]
                others.append(WithoutVerdict(encoder, reason, status, passed, tests))
            else:
                images = outcome["images"] and StripImages.from_dict(outcome["images"])
                shown.append(Shown(Verdict.from_dict(outcome["verdict"]), images, tests))
        return html_page(shown, others, created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")

    def _merged(self) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
        """Outcomes with their tests; two workers may have made one check each."""
        alike: dict[object, tuple[Mapping[str, Any], dict[str, None]]] = {}
        for key, outcome in self._outcomes.items():
            verdict = outcome["verdict"] or {}
            server = (verdict.get("deployment") or {}).get("address")
            same = (*outcome["short"], *(verdict.get(name) for name in ("status", "precision")), server)
            alike.setdefault((*same, str(verdict.get("card"))), (outcome, {}))[1].update(self._tests[key])
        return ((outcome, tuple(tests)) for outcome, tests in alike.values())
