"""SARIF and GitLab's report: what code hosts read of every kind of check, and what they can make of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_integration.report import GitLabReporter, Place, SarifReporter, Shown, WithoutVerdict
from hf_integration.report.code_hosts import SEVERITIES
from hf_integration.report.results import NOT_SELECTED, RULES, UNPLACED, results
from hf_integration.verdict import Verdict
from tests.report.sarif import flaws, read_sarif
from tests.report.test_brief import CONVERTED, DEPLOYED, VERDICTS, poisoned
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE, WAIVED

PLACE = Place("services/search/sslauth.toml", 7)
ENDINGS = {"altered": ALTERED, "inconclusive": INCONCLUSIVE, "waived": WAIVED, "authentic": AUTHENTIC}
KINDS: dict[str, dict[str, Any]] = {
    "encoder": {},
    "endpoint": {"deployment": DEPLOYED.deployment},
    "converted": {"conversion": CONVERTED.conversion},
}
JUDGED = {
    f"{kind}-{ending}": replace(verdict, **parts)
    for kind, parts in KINDS.items()
    for ending, verdict in ENDINGS.items()
}
OTHERS = {
    "not-checked": WithoutVerdict("gone", "no such folder"),
    "not-selected": WithoutVerdict("idle", "configured", NOT_SELECTED),
    "encoder-altered": WithoutVerdict("search", "altered in this process", "altered"),
    "index-other-space": WithoutVerdict("index", "far", "another space"),
    "index-inconclusive": WithoutVerdict("index", "who knows", "inconclusive"),
    "index-same-space": WithoutVerdict("index", "equal", "same space", passed=True),
}
EVERYTHING = [Shown(verdict, place=PLACE, tests=("a.py::test_a",)) for verdict in JUDGED.values()]


def sarif(shown: Sequence[Shown] = (), others: Sequence[WithoutVerdict] = ()) -> Any:
    return read_sarif(SarifReporter().document(shown, others))


def gitlab(shown: Sequence[Shown] = (), others: Sequence[WithoutVerdict] = ()) -> Any:
    found = json.loads(GitLabReporter().document(shown, others), parse_constant=pytest.fail)
    check_gitlab(found)
    return found


def check_gitlab(found: Any) -> None:
    """Every field as GitLab documents it, and no other."""
    assert isinstance(found, list)
    for entry in found:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert all(isinstance(entry[name], str) and entry[name] for name in set(entry) - {"location"})
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert set(entry["location"]) == {"path", "lines"}
        assert set(entry["location"]["lines"]) == {"begin"}
        assert isinstance(entry["location"]["lines"]["begin"], int)
        assert entry["location"]["lines"]["begin"] >= 1
        path = entry["location"]["path"]
        assert path
        assert not path.startswith(("/", "./"))
    assert len({entry["fingerprint"] for entry in found}) == len(found)


def rule_of(run: Any, result: Any) -> Any:
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"]
    return rule


EXPECTED = {
    "altered": ("fail", "error", "blocker"),
    "other-space": ("fail", "error", "blocker"),
    "inconclusive": ("fail", "warning", "major"),
    "not-checked": ("fail", "warning", "major"),
    "waived": ("fail", "note", "info"),
    "not-selected": ("fail", "note", "info"),
    "authentic": ("pass", "none", None),
    "same-space": ("pass", "none", None),
}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_its_level_and_severity(name: str) -> None:
    shown = [Shown(JUDGED[name], place=PLACE)] if name in JUDGED else []
    others = [] if shown else [OTHERS[name]]
    (expected,) = [said for ending, said in EXPECTED.items() if name.endswith(ending)]
    run = sarif(shown, others)
    (result,) = run["results"]
    assert (result["ruleId"], result["kind"], result["level"]) == (name, *expected[:2])
    assert rule_of(run, result)["defaultConfiguration"]["level"] == expected[1]
    assert ("suppressions" in result) == name.endswith("waived")
    found = gitlab(shown, others)
    assert [entry["severity"] for entry in found] == ([] if expected[2] is None else [expected[2]])
    assert [entry["check_name"] for entry in found] == ([] if expected[2] is None else [f"sslauth-{name}"])


def test_every_rule_was_tried() -> None:
    assert set(RULES) == JUDGED.keys() | OTHERS.keys()


def test_what_nobody_knows_is_no_pass() -> None:
    for status in ("authentic", "passed", "", "same space"):
        (result,) = sarif(others=[WithoutVerdict("x", "y", status, passed=status != "same space")])["results"]
        assert (result["ruleId"], result["kind"]) == ("not-checked", "fail")


def test_only_what_passed_is_of_the_kind_pass() -> None:
    passed = [one["properties"]["status"] for one in sarif(EVERYTHING)["results"] if one["kind"] == "pass"]
    assert passed == ["authentic"] * len(KINDS)


def test_a_place_is_named_with_its_line_and_nothing_is_without_one() -> None:
    (result,) = sarif([Shown(ALTERED, place=PLACE)])["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": PLACE.path, "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": PLACE.line}
    (entry,) = gitlab([Shown(ALTERED, place=PLACE)])
    assert entry["location"] == {"path": PLACE.path, "lines": {"begin": PLACE.line}}
    (entry,) = gitlab([Shown(ALTERED)])
    assert entry["location"]["path"] == UNPLACED.path == "sslauth.toml"


def test_what_was_found_is_said() -> None:
    (result,) = sarif([Shown(ALTERED, tests=("a.py::test_a",))])["results"]
    assert result["message"]["text"] == f"org/encoder: {ALTERED.reason}"
    said = result["properties"]
    assert said["margin"] == ALTERED.margin
    assert said["next"] == "do not use this encoder"
    assert said["card"] == ALTERED.card.digest
    assert said["tests"] == ["a.py::test_a"]
    (waived,) = sarif([Shown(WAIVED)])["results"]
    assert waived["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "until 2030-01-31: known"}
    ]


class TestFingerprints:
    def fingerprints(self, *shown: Shown) -> list[str]:
        found = results(shown)
        assert [one["partialFingerprints"]["sslauth/v1"] for one in sarif(shown)["results"]] == [
            one.fingerprint for one in found
        ]
        return [one.fingerprint for one in found]

    @pytest.mark.parametrize(
        "change",
        [
            {"reason": "13 of 20 tensors changed"},
            {"margin": 0.1},
            {"seconds": 9.0},
            {"revision": "f" * 40},
            {"trust": "pinned"},
            {"state": "sha256:" + "0" * 64},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_they_stay_whatever_the_figures_are(self, change: dict[str, Any]) -> None:
        before = self.fingerprints(Shown(ALTERED, place=PLACE))
        moved = replace(PLACE, line=99)
        assert self.fingerprints(Shown(replace(ALTERED, **change), place=moved, tests=("x",))) == before

    @pytest.mark.parametrize(
        "other",
        [
            Shown(INCONCLUSIVE, place=PLACE),
            Shown(replace(ALTERED, encoder="org/other"), place=PLACE),
            Shown(replace(ALTERED, precision="float32"), place=PLACE),
            Shown(replace(ALTERED, deployment=DEPLOYED.deployment), place=PLACE),
            Shown(ALTERED, place=replace(PLACE, path="other.toml")),
        ],
    )
    def test_they_differ_for_another_finding(self, other: Shown) -> None:
        assert self.fingerprints(Shown(ALTERED, place=PLACE)) != self.fingerprints(other)

    def test_each_is_there_once_in_whatever_order_tests_run(self) -> None:
        twice = [Shown(ALTERED, place=PLACE), Shown(replace(ALTERED, reason="also this"), place=PLACE)]
        assert len(set(self.fingerprints(*twice))) == 2
        assert self.fingerprints(*twice) == self.fingerprints(*reversed(twice))
        gitlab([*twice, *EVERYTHING], list(OTHERS.values()))

    def test_two_encoders_of_one_line_are_two_alerts_on_github(self) -> None:
        both = [Shown(ALTERED, place=PLACE), Shown(replace(ALTERED, encoder="org/other"), place=PLACE)]
        found = {one["partialFingerprints"]["primaryLocationLineHash"] for one in sarif(both)["results"]}
        assert len(found) == 2
        assert all(re.fullmatch(r"[0-9a-f]{16}:1", one) for one in found)


MARKUP = "[click](https://evil)<script>{0}{{1}}%0A::error::\x1b[31m\u202eevil\udc80\r\n" + "x" * 5000


@pytest.mark.parametrize("name", VERDICTS)
def test_strings_of_unknown_origin_are_text(name: str) -> None:
    for verdict in poisoned(VERDICTS[name], MARKUP):
        check_inert(Shown(verdict, place=Place(MARKUP, 3), tests=(MARKUP,)), WithoutVerdict(MARKUP, MARKUP))


@pytest.mark.parametrize("field", ["encoder", "reason", "status", "tests", "place"])
def test_strings_of_what_came_to_no_verdict_are_text(field: str) -> None:
    value: Any = {"tests": (MARKUP,), "place": Place(MARKUP)}.get(field, MARKUP)
    check_inert(Shown(AUTHENTIC), replace(OTHERS["not-checked"], **{field: value}))


def check_inert(shown: Shown, other: WithoutVerdict) -> None:
    log, report = SarifReporter().document([shown], [other]), GitLabReporter().document([shown], [other])
    for text in (log, report):
        assert text.isascii()
        assert len(text) < 60_000
    run = read_sarif(log)
    check_gitlab(json.loads(report))
    for result in run["results"]:
        said = result["message"]["text"]
        assert "](" not in said
        assert not re.search(r"(?<!\{)(\{\{)*\{(?!\{)", said)
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[\w/.%~-]+", uri, re.ASCII)
    assert all(text.isprintable() for text in strings(run))
    assert all(text.isprintable() for text in strings(json.loads(report)))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_an_empty_run_is_valid() -> None:
    assert sarif()["results"] == []
    assert gitlab() == []


def test_the_schema_refuses_what_is_no_log() -> None:
    log = json.loads(SarifReporter().document(EVERYTHING))
    assert flaws(log) == []
    log["runs"][0]["results"][0]["level"] = "fatal"
    del log["runs"][0]["tool"]
    assert len(flaws(log)) == 2


def test_gitlab_has_a_word_for_all_but_a_pass() -> None:
    assert {rule.severity for rule in RULES.values()} - SEVERITIES.keys() == {"pass"}


class TestPlaces:
    def test_paths_start_at_the_root_of_the_repository(self, tmp_path: Path) -> None:
        project = tmp_path / "services" / "search"
        project.mkdir(parents=True)
        file = project / "sslauth.toml"
        assert Place.of(file, 3, project) == Place("sslauth.toml", 3)
        (tmp_path / ".git").mkdir()
        assert Place.of(file, 3, project) == Place("services/search/sslauth.toml", 3)

    def test_a_worktree_has_a_file_of_that_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".git").write_text("gitdir: elsewhere\n")
        (tmp_path / "deep").mkdir()
        monkeypatch.chdir(tmp_path / "deep")
        assert Place.of(Path("a b.toml"), 1, Path()) == Place("deep/a b.toml", 1)


def test_a_single_verdict_is_a_report(tmp_path: Path) -> None:
    verdict: Verdict = replace(ALTERED, encoder="search")
    (result,) = read_sarif(SarifReporter(place=PLACE).render(verdict))["results"]
    assert result["ruleId"] == "encoder-altered"
    (entry,) = json.loads(GitLabReporter(place=PLACE).render(verdict))
    assert entry["location"]["path"] == PLACE.path


def test_what_the_recipe_leaves_for_github_is_what_did_not_pass() -> None:
    """GitHub takes results of the kind ``pass`` for alerts."""
    if (jq := shutil.which("jq")) is None:
        pytest.skip("jq is not installed")
    recipe = (Path(__file__).parents[2] / "docs" / "how-to" / "run-in-ci.md").read_text("utf-8")
    (program,) = re.findall(r"jq '(.*)' sslauth\.sarif", recipe)
    log = SarifReporter().document(EVERYTHING, list(OTHERS.values()))
    done = subprocess.run([jq, program], input=log, capture_output=True, text=True, check=True)
    before, after = read_sarif(log)["results"], read_sarif(done.stdout)["results"]
    assert after == [result for result in before if result["level"] != "none"]
    assert 0 < len(after) < len(before)
