"""What GitHub Actions shows of a run: an annotation for each encoder that is no pass, and a job summary.

Source: "Workflow commands for GitHub Actions", setting an error message and adding a job summary.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from pytest_sslauth.collected import Configured
from pytest_sslauth.record import Evidence, Summary

LONGEST = 500
"""Characters of a reason; GitHub cuts what is much longer."""


class GitHub:
    """Annotates the run, and writes the summary of the job.

    Args:
        summary: evidence that the controller gathered.
        configured: what it knows of ``sslauth.toml``.
    """

    def __init__(self, summary: Summary, configured: Configured) -> None:
        self._summary, self._configured = summary, configured

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: GitHub reads annotations from the output."""
        found, places = self._summary.evidence, self._configured.places
        if failed := append_summary(table(found, self._configured.left_out)):
            terminalreporter.line(failed, yellow=True)
        # a test may expect an altered encoder
        level = "error" if self._summary.failed else "warning"
        for evidence in found:
            if not evidence.passed:
                terminalreporter.line(annotation(evidence, places.get(evidence.entry or ""), level=level))


def annotation(evidence: Evidence, place: tuple[str, int] | None, *, level: str = "error") -> str:
    """The workflow command that annotates a run with an encoder that is no pass.

    Args:
        evidence: of the check.
        place: file, and line from 1, of its entry in ``sslauth.toml``, if it has one.
        level: ``error``, or ``warning`` in a run of which no test failed.
    """
    from hf_integration.base.text import harmless

    facts = {"title": f"sslauth: {_status(evidence)}"}
    if place is not None:
        facts = {"file": place[0], "line": str(place[1]), **facts}
    shown = ",".join(f"{name}={_property(harmless(value))}" for name, value in facts.items())
    text = f"{evidence.encoder}: {evidence.reason}"
    return f"::{level} {shown}::{_data(harmless(text, longest=LONGEST))}"


def table(evidence: Iterable[Evidence], left_out: Sequence[str] = ()) -> str:
    """A Markdown table of all checks, for the summary of the job; empty without any."""
    from hf_integration.report.columns import margin_text

    rows = [
        (
            _status(one),
            f"{one.encoder} at {one.endpoint}" if one.endpoint else one.encoder,
            one.trust or "",
            "" if one.margin is None else margin_text(one.margin),
            one.precision or "",
            "" if one.seconds is None else f"{one.seconds:.1f} s",
            "" if one.passed and not one.waiver else one.waiver or one.reason,
        )
        for one in evidence
    ]
    if not rows and not left_out:
        return ""
    heads = ("verdict", "encoder", "trust", "margin", "precision", "took", "why")
    lines = ["## sslauth", ""]
    if rows:
        lines += [_row(heads), _row(["---"] * len(heads)), *map(_row, (map(_cell, row) for row in rows)), ""]
    if left_out:
        lines += [f"Configured and not checked: {', '.join(map(_cell, left_out))}", ""]
    return "\n".join(lines)


def append_summary(text: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Append to the job's summary.

    Returns:
        Why nothing was appended, if that was asked for and failed.
    """
    file = environment.get("GITHUB_STEP_SUMMARY")
    if not file or not text:
        return None
    try:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")
    except OSError as error:
        return f"no job summary was written: {error.strerror or error}"
    return None


def _status(evidence: Evidence) -> str:
    return f"{evidence.status}, waived" if evidence.waiver else evidence.status


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>&~$@:-])")


def _cell(text: str) -> str:
    """Text that Markdown takes for text: no markup, no link, no mention, no picture."""
    from hf_integration.base.text import harmless

    return _MARKUP.sub(lambda found: f"&#{ord(found[1])};", harmless(text, longest=LONGEST))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
