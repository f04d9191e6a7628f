"""What a test remembers of the checks made for it, and the section of the summary that it ends up in."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pytest

from pytest_sslauth.failure import XFAILED

if TYPE_CHECKING:
    from hf_integration.verdict import Verdict


PROPERTY = "sslauth_check"

SAME_SPACE = "same space"
"""What passes and is not authentic: it is embedded as an index was, whatever that is worth."""

PASSED = ("authentic", SAME_SPACE)


@dataclass(frozen=True)
class Evidence:
    """One check in short.

    Attributes:
        status: ``authentic``, ``altered`` or ``inconclusive``; of a stamp ``same space``, ``another space``
            or ``inconclusive``.
        encoder: what was checked, as the caller named it.
        reason: one sentence for people.
        revision: resolved Hub commit, if any.
        margin: margin of the verdict, if there is one.
        precision: arithmetic of the check, if one was made.
        card: digest of the card, if one was read.
        partial: how many key samples a budget allowed, unless all were run.
        waiver: ``waived until DATE: REASON`` of an alteration that is accepted.
        endpoint: URL of the server that was asked, if one was.
        entry: of ``sslauth.toml``, if what was checked is one.
        trust: why the card or the copy is believed, if one was read.
        seconds: how long the check took.
        skipped: whether it was out of reach, and the tests that need it were skipped.
        used: the card's folder below the project's cards, if it is from there.
    """

    status: str
    encoder: str
    reason: str
    revision: str | None = None
    margin: float | None = None
    precision: str | None = None
    card: str | None = None
    partial: str | None = None
    waiver: str | None = None
    endpoint: str | None = None
    entry: str | None = None
    trust: str | None = None
    seconds: float | None = None
    skipped: bool = False
    used: str | None = None

    @property
    def passed(self) -> bool:
        """Whether a test may depend on the encoder."""
        return self.status in PASSED or bool(self.waiver)

    @classmethod
    def of(cls, verdict: "Verdict", entry: str | None = None) -> "Evidence":
        """The evidence that a verdict gives."""
        return cls(
            status=verdict.status,
            encoder=verdict.encoder,
            reason=verdict.reason,
            revision=verdict.revision,
            margin=verdict.margin,
            precision=verdict.precision,
            card=verdict.card.digest,
            partial=verdict.partial,
            waiver=f"waived until {waiver.until}: {waiver.reason}" if (waiver := verdict.waiver) else None,
            endpoint=None if verdict.deployment is None else verdict.deployment.address,
            entry=entry,
            trust=verdict.believed,
            seconds=verdict.seconds,
        )

    def attach_to(self, item: pytest.Item) -> None:
        """Add it to the test's properties, once: they travel on its reports and end up in JUnit files."""
        whole = (PROPERTY, json.dumps(asdict(self)))
        if whole in item.user_properties:
            return
        item.user_properties += [whole, ("sslauth_status", self.status)]
        if self.margin is not None:
            item.user_properties.append(("sslauth_margin", self.margin))
        if self.card:
            item.user_properties.append(("sslauth_card", self.card))
        if self.waiver:
            item.user_properties.append(("sslauth_waiver", self.waiver))
            from hf_integration.base.text import harmless  # late: nothing is waived unchecked

            lines = (f"ALTERED, {self.waiver}", f"{self.encoder}: {self.reason}")
            item.add_report_section("call", "sslauth", "".join(f"{harmless(line)}\n" for line in lines))

    @classmethod
    def on(cls, report: pytest.TestReport) -> "list[Evidence]":
        """The evidence on a test's report, in the order of its checks."""
        return [cls(**json.loads(str(value))) for name, value in report.user_properties if name == PROPERTY]


ORDER = {"altered": 0, "inconclusive": 1, **dict.fromkeys(PASSED, 3)}
WAIVED = 2


class Summary:
    """Gathers the evidence on reports, those of workers too, and prints it at the end.

    Attributes:
        failed: whether any test of the session did.
    """

    def __init__(self) -> None:
        self._evidence: dict[Evidence, Evidence] = {}
        self._xfailed: dict[str, Evidence] = {}
        self.failed = False

    @property
    def evidence(self) -> "list[Evidence]":
        """Of the whole session, each check once: what failed first, then what is waived."""
        return sorted(self._evidence.values(), key=_order)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Spec ``pytest_runtest_logreport``: keep the evidence that a test's report carries."""
        for evidence in Evidence.on(report):
            # two workers that make the same check may differ in the last digits of its margin
            self._evidence.setdefault(replace(evidence, margin=None, seconds=None), evidence)
            if _expected_to_fail(report) and not evidence.passed and not evidence.skipped:
                self._xfailed[report.nodeid] = evidence
        self.failed = self.failed or report.failed

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Spec ``pytest_terminal_summary``: print the section, if there is anything to say."""
        verbose = terminalreporter.config.get_verbosity() > 0
        lines = summary_lines(self._evidence.values(), verbose=verbose, all_passed=not self.failed)
        lines += [(_excused(test, evidence), "red") for test, evidence in sorted(self._xfailed.items())]
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
        (item for item in evidence if verbose or item.partial or item.status not in PASSED), key=_order
    )
    return [(_line(item, all_passed=all_passed), _color(item)) for item in shown]


def _expected_to_fail(report: pytest.TestReport) -> bool:
    return (report.skipped and hasattr(report, "wasxfail")) or getattr(report, XFAILED, False)


def _excused(test: str, evidence: Evidence) -> str:
    from hf_integration.base.text import harmless

    found = f"{harmless(evidence.encoder)} is {evidence.status}"
    return f"{'xfail':<12}  {harmless(test)}  is expected to fail, which excuses nothing: {found}"


def _order(evidence: Evidence) -> int:
    return WAIVED if evidence.waiver else ORDER.get(evidence.status, 0)


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
        f"trust {harmless(evidence.trust)}" if evidence.trust else "",
        f"{evidence.seconds:.1f} s" if evidence.seconds is not None else "",
        f"only {harmless(evidence.partial)}" if evidence.partial else "",
        f"card {short_digest(evidence.card)}" if evidence.card else "",
    ]
    shown = ", ".join(fact for fact in facts if fact)
    status = "ALTERED" if evidence.status == "altered" else evidence.status
    if evidence.waiver:
        status = f"{status}, {harmless(evidence.waiver)}"
    at = f" at {harmless(evidence.endpoint)}" if evidence.endpoint else ""
    line = f"{status:<12}  {harmless(evidence.encoder)}{at}" + (f"  ({shown})" if shown else "")
    if evidence.status in PASSED:
        return line
    ending = "; yet no test failed" if all_passed and not evidence.passed else ""
    if evidence.skipped:
        ending = "; its tests were skipped, as --sslauth-missing=skip allows"
    return f"{line}: {harmless(evidence.reason)}{ending}"
