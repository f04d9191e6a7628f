"""The section of the terminal summary: one line per encoder that was checked."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from pytest_sslauth.record import Evidence

ORDER = {"altered": 0, "inconclusive": 1, "authentic": 3}
WAIVED = 2


class Summary:
    """Gathers the evidence on reports, those of workers too, and prints it at the end."""

    def __init__(self) -> None:
        self._evidence: dict[Evidence, Evidence] = {}
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: keep the evidence that a test's report carries."""
        for evidence in Evidence.on(report):
            # two workers that make the same check may differ in the last digits of its margin
            self._evidence.setdefault(replace(evidence, margin=None), evidence)
        self._failed = self._failed or report.failed

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: print the section, if there is anything to say."""
        verbose = terminalreporter.config.get_verbosity() > 0
        lines = summary_lines(self._evidence.values(), verbose=verbose, all_passed=not self._failed)
        if lines:
            terminalreporter.section("sslauth")
        for line, color in lines:
            terminalreporter.line(line, **{color: True})


def summary_lines(
    evidence: Iterable[Evidence], *, verbose: bool, all_passed: bool = False
) -> list[tuple[str, str]]:
    """One line per check and its colour; failing ones first, then waived ones, authentic ones when verbose.

    Args:
        evidence: of the whole session.
        verbose: whether authentic encoders are listed too; partial checks always are.
        all_passed: whether no test of the session failed, which is said of all that are no pass:
            ``authenticate`` only reports, and a test that forgets to look at the verdict passes.
    """
    shown = sorted(
        (item for item in evidence if verbose or item.partial or item.status != "authentic"),
        key=lambda item: WAIVED if item.waiver else ORDER.get(item.status, 0),
    )
    return [(_line(item, all_passed=all_passed), _color(item)) for item in shown]


def _color(evidence: Evidence) -> str:
    if evidence.waiver:
        return "yellow"
    return "green" if evidence.passed else "red"


def _line(evidence: Evidence, *, all_passed: bool) -> str:
    # imported late: a session that checks nothing has nothing to print
    from hf_integration.base.text import harmless
    from hf_integration.report.columns import margin_text
    from hf_integration.report.reporters import short_digest

    facts = [
        f"revision {harmless(evidence.revision, longest=12)}" if evidence.revision else "",
        f"margin {margin_text(evidence.margin)}" if evidence.margin is not None else "",
        harmless(evidence.precision) if evidence.precision else "",
        f"only {harmless(evidence.partial)}" if evidence.partial else "",
        f"card {short_digest(evidence.card)}" if evidence.card else "",
    ]
    shown = ", ".join(fact for fact in facts if fact)
    status = "ALTERED" if evidence.status == "altered" else evidence.status
    if evidence.waiver:
        status = f"{status}, {harmless(evidence.waiver)}"
    line = f"{status:<12}  {harmless(evidence.encoder)}" + (f"  ({shown})" if shown else "")
    if evidence.status == "authentic":
        return line
    ending = "; yet no test failed" if all_passed and not evidence.passed else ""
    return f"{line}: {harmless(evidence.reason)}{ending}"
