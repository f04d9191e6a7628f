"""Files about a whole run, one for each format of ``hf_integration.report.REPORTERS`` that is asked for."""

from datetime import UTC, datetime

import pytest

from pytest_sslauth.gathered import Gathered
from pytest_sslauth.options import Settings


class ReportFiles:
    """Writes what ``--sslauth-html``, ``--sslauth-sarif`` and ``--sslauth-gitlab`` ask for, at the end.

    Args:
        settings: which files.
        gathered: what the run found.
    """

    def __init__(self, settings: Settings, gathered: Gathered) -> None:
        self._settings, self._gathered = settings, gathered
        self._said: list[tuple[str, bool]] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Spec ``pytest_sessionfinish``: write them, also of a run without a check.

        No verdict depends on them, so a full disk is said and leaves the outcome as it is.
        """
        if session.config.getoption("collectonly"):
            return
        from hf_integration.base.errors import OutputError
        from hf_integration.base.output_files import write_whole
        from hf_integration.report import REPORTERS, Document

        shown, others = self._gathered.checks()
        for name, file in self._settings.files.items():
            reporter = REPORTERS[name]
            assert issubclass(reporter, Document)  # noqa: S101  # the table in options.py names no other
            document = reporter(created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
            try:
                write_whole(file, f"{document.document(shown, others)}\n".encode(errors="backslashreplace"))
                self._said.append((f"{name}: {file}", True))
            except (OutputError, OSError) as error:
                self._said.append((f"no {name} file was written: {error}", False))

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: say where they are, or why they are not."""
        for line, written in self._said:
            terminalreporter.line(f"sslauth: {line}", **({} if written else {"yellow": True}))
