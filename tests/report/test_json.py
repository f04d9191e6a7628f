"""The report for programs."""

import json
import sys
from dataclasses import replace
from subprocess import run

import pytest

from hf_integration.base.strict_json import strict_json
from hf_integration.report import JsonReporter, QuietReporter
from hf_integration.verdict import Verdict
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE


@pytest.mark.parametrize("verdict", [AUTHENTIC, ALTERED, INCONCLUSIVE])
def test_a_verdict_survives_the_round_trip(verdict: Verdict) -> None:
    assert Verdict.from_dict(json.loads(JsonReporter().render(verdict))) == verdict


def test_the_margin_of_an_open_question_is_null() -> None:
    assert json.loads(JsonReporter().render(INCONCLUSIVE))["margin"] is None


def test_no_number_is_written_that_strict_parsers_refuse() -> None:
    text = strict_json({"a": [float("nan"), float("inf"), (1, 2.5)]})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, None, [1, 2.5]]}


def test_the_text_is_plain_ascii_whatever_it_quotes() -> None:
    report = JsonReporter().render(replace(AUTHENTIC, encoder="\u202e\x1b\udc80é"))
    assert report.isascii()
    assert "\x1b" not in report
    assert json.loads(report)["encoder"] == "\u202e\x1b\udc80é"


@pytest.mark.parametrize("verdict", [AUTHENTIC, ALTERED, INCONCLUSIVE])
def test_the_quiet_report_is_the_status_alone(verdict: Verdict) -> None:
    assert QuietReporter().render(verdict) == verdict.status


def test_reports_import_nothing_heavy() -> None:
    """The pytest plugin renders with them, where torch may never be needed."""
    code = (
        "import sys, hf_integration.report; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
