"""Checks as results of rules, which is what code hosts show: each kind of check with each way it can end."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.report.shown import Place, Shown, WithoutVerdict
from hf_integration.verdict import Verdict

Severity = Literal["pass", "note", "warning", "error"]

UNPLACED = Place("sslauth.toml")
"""Where an encoder without an entry is shown: its pin belongs there, and code hosts insist on a place."""


@dataclass(frozen=True)
class Rule:
    """What a result is an instance of.

    Attributes:
        name: the same in every report and every release, such as ``encoder-altered``.
        severity: ``pass`` for what may be used, and for nothing that was not checked.
        says: one sentence.
        advice: what to do.
    """

    name: str
    severity: Severity
    says: str
    advice: str


_KINDS = {
    "encoder": "The encoder",
    "endpoint": "The encoder behind the endpoint",
    "converted": "The converted encoder",
}
_ENDINGS: Mapping[str, tuple[Severity, str, str]] = {
    "altered": (
        "error",
        "is another one than was trusted.",
        "Do not use it. The report of `sslauth verify` says what differs.",
    ),
    "inconclusive": (
        "warning",
        "could not be judged, which is not a pass.",
        "Read the reason: it names what is missing.",
    ),
    "waived": (
        "note",
        "was altered, and a waiver in sslauth.toml accepts that for now.",
        "Remove the waiver, or renew it, before it ends.",
    ),
    "authentic": ("pass", "is the one that was trusted.", "There is nothing to do."),
}
_INDEX = "What embeds texts"
_OTHERS = (
    Rule(
        "index-other-space",
        "error",
        f"{_INDEX} is not what the index of the stamp was made with.",
        "Query with what the index was made with, or embed the index anew.",
    ),
    Rule(
        "index-inconclusive",
        "warning",
        f"{_INDEX} could not be held against the stamp, which is not a pass.",
        "Read the reason.",
    ),
    Rule(
        "index-same-space",
        "pass",
        f"{_INDEX} embeds as the index of the stamp was made.",
        "There is nothing to do.",
    ),
    Rule(
        "not-checked",
        "warning",
        "The check could not be made, which is not a pass.",
        "Read the reason: it names what is missing.",
    ),
    Rule(
        "not-selected",
        "note",
        "The entry of sslauth.toml was not checked in this run.",
        "Select its test, or run pytest with --sslauth-require to make this an error.",
    ),
)
RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        *(
            Rule(f"{kind}-{ending}", severity, f"{subject} {says}", advice)
            for kind, subject in _KINDS.items()
            for ending, (severity, says, advice) in _ENDINGS.items()
        ),
        *_OTHERS,
    )
}
"""By name, in an order that new rules do not change."""

NOT_SELECTED = "not selected"
"""The status of an entry that no test of a run checked."""

_WITHOUT_VERDICT = {
    ("altered", False): "encoder-altered",
    ("another space", False): "index-other-space",
    ("inconclusive", False): "index-inconclusive",
    ("same space", True): "index-same-space",
    (NOT_SELECTED, False): "not-selected",
}
"""By status and whether it passed; everything else was not checked."""


@dataclass(frozen=True)
class Result:
    """One check as an instance of a rule; every text is one line and harmless in a terminal.

    Attributes:
        rule: of it.
        subject: what was checked.
        reason: what was found.
        place: where somebody looks first.
        fingerprint: 64 hexadecimal digits that no other result of a report has, the same in the next run for
            the same subject, place and rule, whatever the figures are.
        verdict: what was found out, unless nothing was.
        tests: the tests that asked for it.
    """

    rule: Rule
    subject: str
    reason: str
    place: Place
    fingerprint: str
    verdict: Verdict | None = None
    tests: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """Subject and reason in one line; many reasons begin with the subject."""
        named = self.reason.startswith((f"{self.subject}: ", f"'{self.subject}'"))
        return self.reason if named else f"{self.subject}: {self.reason}"


def results(shown: Iterable[Shown], others: Iterable[WithoutVerdict] = ()) -> list[Result]:
    """Every check as a result, in an order that does not depend on which test ran first."""
    found = [_of_verdict(one) for one in shown] + [_without_verdict(one) for one in others]
    found.sort(key=lambda one: (one[0], one[1].place.path, one[1].place.line, one[1].reason))
    alike: Counter[tuple[str, ...]] = Counter()
    numbered = []
    for identity, result in found:
        alike[identity] += 1
        # the second of two that are alike has another one
        digits = hashlib.sha256(strict_json([*identity, alike[identity]]).encode()).hexdigest()
        numbered.append(replace(result, fingerprint=digits))
    return numbered


_Identified = tuple[tuple[str, ...], Result]


def _of_verdict(one: Shown) -> _Identified:
    verdict = one.verdict
    kind, subject = "encoder", verdict.encoder
    if verdict.deployment is not None:
        kind, subject = "endpoint", f"{verdict.encoder} at {verdict.deployment.address}"
    elif verdict.conversion is not None:
        kind, subject = "converted", verdict.conversion.path
    rule = RULES[f"{kind}-{'waived' if verdict.waiver else verdict.status}"]
    return _identified(rule, subject, verdict.reason, one, verdict, verdict.precision)


def _without_verdict(one: WithoutVerdict) -> _Identified:
    rule = RULES[_WITHOUT_VERDICT.get((one.status, one.passed), "not-checked")]
    return _identified(rule, one.encoder, one.reason, one)


def _identified(
    rule: Rule,
    subject: str,
    reason: str,
    one: Shown | WithoutVerdict,
    verdict: Verdict | None = None,
    *more: str,
) -> _Identified:
    place = one.place or UNPLACED
    result = Result(
        rule,
        harmless(subject),
        harmless(reason, longest=1000),
        Place(harmless(place.path, longest=1000), max(1, place.line)),
        "",
        verdict,
        _harmless(one.tests),
    )
    return (rule.name, place.path, subject, *more), result


def _harmless(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(harmless(text, longest=1000) for text in texts)
