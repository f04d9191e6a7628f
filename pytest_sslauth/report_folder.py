"""The files of ``--sslauth-report-dir``: verdict and picture of each check, and how they are called.

The process that makes a check names its files, and tells the failing test; the controller alone writes them.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sslauth.gathered import Gathered

if TYPE_CHECKING:
    from hf_integration.verdict import Verdict


class ReportNames:
    """Names of files that no other check of this process has, and that a second process chooses alike."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def of(self, verdict: "Verdict") -> str:
        """Encoder (without what a file system would obey), what was checked exactly, precision, a count."""
        server = "" if verdict.deployment is None else verdict.deployment.address
        checked = (verdict.encoder, verdict.revision, verdict.card.digest, server)
        digits = hashlib.sha256(repr(checked).encode(errors="backslashreplace")).hexdigest()[:8]
        name = re.sub(r"[^\w-]+", "-", Path(verdict.encoder).name, flags=re.ASCII).strip("-")[:60]
        return _counted(self._taken, f"{name or 'encoder'}-{digits}-{verdict.precision}")


def _counted(taken: dict[str, int], stem: str) -> str:
    count = taken[stem] = taken.get(stem, 0) + 1
    return f"{stem}-{count}" if count > 1 else stem


class ReportFolder:
    """Writes the files of each check when the report of its first test arrives.

    Args:
        folder: where to write.
        gathered: what reports carry.
    """

    def __init__(self, folder: Path, gathered: Gathered) -> None:
        self._folder, self._gathered = folder, gathered
        self._written: dict[str, str] = {}
        self._failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: write what is new.

        No verdict depends on the files, so a full disk is said at the end and leaves the outcome as it is.
        """
        for outcome in self._gathered.on(report):
            if not outcome["stem"]:
                continue
            stem, count = outcome["stem"], 1
            # workers that checked the same found the same, unless somebody altered it in between
            while self._written.get(stem, outcome["finding"]) != outcome["finding"]:
                count += 1
                stem = f"{outcome['stem']}-{count}"
            if stem not in self._written:
                self._written[stem] = outcome["finding"]
                self._write(stem, outcome["verdict"], outcome["picture"])

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: say what could not be written."""
        for failed in self._failed:
            terminalreporter.line(f"sslauth: no report was written: {failed}", yellow=True)

    def _write(self, stem: str, verdict: object, picture: str | None) -> None:
        from hf_integration.base.errors import OutputError
        from hf_integration.base.output_files import check_own, write_whole
        from hf_integration.base.strict_json import strict_json

        files = {f"{stem}.json": strict_json(verdict).encode() + b"\n"}
        if picture is not None:
            files[f"{stem}.png"] = base64.b64decode(picture)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in files:
                check_own(self._folder / name)
            for name, content in files.items():
                write_whole(self._folder / name, content)
        except (OutputError, OSError) as error:
            self._failed.append(str(error))
