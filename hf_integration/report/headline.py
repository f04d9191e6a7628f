"""The few words that head every report of a verdict."""

from collections.abc import Mapping

from hf_integration.report.escaping import harmless
from hf_integration.verdict import Status, Verdict

HEADLINES: Mapping[Status, str] = {
    "authentic": "AUTHENTIC",
    "altered": "ALTERED",
    "inconclusive": "INCONCLUSIVE - this is not a pass",
}


def headline(verdict: Verdict) -> str:
    """The status in capitals; an alteration that is accepted says until when and why."""
    if verdict.waiver is not None:
        return f"{waived_until(verdict.waiver)}: {harmless(verdict.waiver.get('reason', ''))}"
    return HEADLINES[verdict.status]


def waived_until(waiver: Mapping[str, str]) -> str:
    """The headline of a waived alteration without its reason."""
    return f"{HEADLINES['altered']}, waived until {harmless(waiver.get('until', ''), longest=20)}"
