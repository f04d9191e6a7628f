"""What code hosts show of checks: SARIF 2.1.0, which GitHub reads, and the code quality report of GitLab.

Sources: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS Standard, errata 01, whose
sections are named below; "Code Quality", section "Code Quality report format", of GitLab's documentation.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.report.results import RULES, Result, Rule, Severity, results
from hf_integration.report.shown import Document, Shown, WithoutVerdict
from hf_integration.verdict import Verdict

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://github.com/pytest-sslauth/pytest-sslauth"
MOST_TESTS = 100
"""Tests that a result names."""

_INDEX = {name: index for index, name in enumerate(RULES)}


class SarifReporter(Document):
    """Reports as a SARIF log with one run.

    An alteration is an ``error``, an open question a ``warning``, a waived alteration a suppressed ``note``,
    and an authentic encoder a result of the kind ``pass``: what was not checked has none of that kind.
    """

    def document(self, shown: Iterable[Shown], others: Iterable[WithoutVerdict] = ()) -> str:
        """The log as strict JSON; equal findings give equal logs."""
        return strict_json(
            {
                "$schema": SCHEMA,
                "version": "2.1.0",
                "runs": [
                    {
                        "tool": {"driver": _driver()},
                        "columnKind": "unicodeCodePoints",
                        "results": [_result(one) for one in results(shown, others)],
                    }
                ],
            }
        )


def _driver() -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    driver: dict[str, Any] = {"name": "pytest-sslauth", "informationUri": HOME}
    with suppress(PackageNotFoundError):  # the files of a clone, not installed
        driver["version"] = version("pytest-sslauth")
    return {**driver, "rules": [_rule(rule) for rule in RULES.values()]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.says},
        "fullDescription": {"text": rule.says},
        "help": {"text": rule.advice},
        "helpUri": f"{HOME}/blob/main/docs/reference/code-hosts.md",
        "defaultConfiguration": {"level": _level(rule)},
        "properties": {"tags": ["security", "supply-chain"]},
    }


def _level(rule: Rule) -> str:
    return "none" if rule.severity == "pass" else rule.severity


def _result(one: Result) -> dict[str, Any]:
    rule, verdict = one.rule, one.verdict
    said: dict[str, Any] = {
        "ruleId": rule.name,
        "ruleIndex": _INDEX[rule.name],
        # what is no failure has no level (3.27.10)
        "kind": "pass" if rule.severity == "pass" else "fail",
        "level": _level(rule),
        "message": {"text": _plain(one.says)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(one.place.path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": one.place.line},
                },
                "logicalLocations": [{"fullyQualifiedName": one.subject, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {
            "sslauth/v1": one.fingerprint,
            # GitHub tells alerts apart by it; made from the line, as it does, two encoders of a test are one
            "primaryLocationLineHash": f"{one.fingerprint[:16]}:1",
        },
        "properties": {**_properties(verdict), "tests": one.tests[:MOST_TESTS]},
    }
    if verdict is not None and verdict.waiver is not None:
        waiver = f"until {verdict.waiver.until}: {verdict.waiver.reason}"
        said["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": harmless(waiver, longest=1000)}
        ]
    return said


def _properties(verdict: Verdict | None) -> Mapping[str, Any]:
    if verdict is None:
        return {}
    found = {
        "status": verdict.status,
        "trust": verdict.trust,
        "signedBy": " and by ".join(verdict.signers),
        "precision": verdict.precision,
        "margin": verdict.margin,
        "revision": verdict.revision,
        "card": verdict.card.digest,
        "state": verdict.state,
        "keySamples": verdict.partial,
        "next": " ".join(verdict.diagnosis[-1:]),
    }
    return {
        name: harmless(value, longest=1000) if isinstance(value, str) else value
        for name, value in found.items()
        if value not in (None, "")
    }


def _plain(text: str) -> str:
    """A plain text message (3.11) without placeholders and without links: ``[text](url)`` is one."""
    return text.replace("](", "] (").replace("{", "{{").replace("}", "}}")


class GitLabReporter(Document):
    """Reports what is no pass. GitLab counts every entry as a flaw, so an authentic encoder has none."""

    def document(self, shown: Iterable[Shown], others: Iterable[WithoutVerdict] = ()) -> str:
        """A JSON array, in which every entry has a fingerprint of its own."""
        return strict_json(
            [
                {
                    "description": one.says,
                    "check_name": f"sslauth-{one.rule.name}",
                    "fingerprint": one.fingerprint,
                    "severity": SEVERITIES[one.rule.severity],
                    "location": {"path": one.place.path, "lines": {"begin": one.place.line}},
                }
                for one in results(shown, others)
                if one.rule.severity in SEVERITIES
            ]
        )


SEVERITIES: Mapping[Severity, str] = {"error": "blocker", "warning": "major", "note": "info"}
"""What GitLab calls it; it has no word for a pass."""
