"""What workers send to the controller: plain values of bounded size, and files that nobody mixes up."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hf_integration.base.strict_json import strict_json
from hf_integration.report import StripImages
from pytest_sslauth.collected import Configured
from pytest_sslauth.gathered import Gathered, put_on
from pytest_sslauth.options import Settings
from pytest_sslauth.outcome import LONGEST_REASON, MOST_BYTES, Kept, Outcome, compared, judged, not_checked
from pytest_sslauth.report_folder import ReportFolder, ReportNames
from tests.report.test_brief import VERDICTS
from tests.report.verdicts import ALTERED, AUTHENTIC

SETTINGS = Settings(Path(), Path("cards"), Path("sslauth.toml"))
KEPT = Kept(StripImages(b"e", (b"f",), (b"d",)), b"png", "tiny")
PLAIN = (str, int, float, bool, type(None))


def is_plain(value: Any) -> bool:
    """Whether execnet can send it."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(part) for key, part in value.items())
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    return type(value) in PLAIN


@pytest.mark.parametrize("name", VERDICTS)
def test_every_outcome_is_plain_values(name: str) -> None:
    assert is_plain(judged(VERDICTS[name], SETTINGS, source="here", entry="x", kept=KEPT).to_dict())


def test_what_came_to_no_verdict_is_too() -> None:
    likeness: Any = SimpleNamespace(status="other", encoder="index", reason="far")
    for outcome in (not_checked("gone", ValueError("x")), compared(likeness)):
        assert is_plain(outcome.to_dict())
        assert outcome.to_dict()["verdict"] is None


def test_a_verdict_that_is_too_large_leaves_its_evidence_which_is_no_pass() -> None:
    names = tuple(f"{index:09d}".ljust(1000, "x") for index in range(MOST_BYTES // 1000))
    large = replace(ALTERED, tensors=replace(ALTERED.tensors, changed=names), reason="y" * 10**6)
    sent = judged(large, SETTINGS, source="here").to_dict()
    assert sent["verdict"] is None
    assert sent["short"] == ("org/encoder", "y" * LONGEST_REASON, "altered", False)
    assert len(strict_json(sent)) < 2 * LONGEST_REASON


def test_two_processes_that_make_one_check_find_the_same() -> None:
    def finding(verdict: Any, **more: Any) -> Any:
        return judged(verdict, SETTINGS, source="here", **more).to_dict()["finding"]

    assert finding(ALTERED) == finding(replace(ALTERED, margin=0.290001, seconds=99.0))
    others = [
        AUTHENTIC,
        replace(ALTERED, reason="another"),
        replace(ALTERED, state="sha256:00"),
        replace(ALTERED, encoder="org/other"),
        replace(ALTERED, precision="float32"),
        replace(ALTERED, deployment=VERDICTS["deployed"].deployment),
    ]
    assert len({finding(ALTERED), *map(finding, others), finding(ALTERED, entry="search")}) == len(others) + 2


class TestNames:
    @pytest.mark.parametrize(
        "name", ["../../etc/passwd", "a\0b", "\udc80", "con\n", "x" * 500, "", "..", "ü/Ω"]
    )
    def test_they_are_names_of_files_whatever_an_encoder_is_called(self, name: str) -> None:
        stem = ReportNames().of(replace(ALTERED, encoder=name))
        assert stem.isascii()
        assert len(stem) < 100
        assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

    def test_two_processes_choose_alike_and_one_never_twice(self) -> None:
        one, two = ReportNames(), ReportNames()
        other = replace(ALTERED, encoder="elsewhere/encoder")
        assert one.of(ALTERED) == two.of(ALTERED)
        assert len({one.of(ALTERED), one.of(other), one.of(AUTHENTIC), two.of(ALTERED)}) == 3
        assert one.of(ALTERED) != two.of(other)


def test_workers_that_found_different_things_lose_none_of_them(tmp_path: Path) -> None:
    """Somebody altered the encoder after one worker had checked it: both chose the same name."""
    gathered = Gathered(SETTINGS, Configured(SETTINGS))
    folder = ReportFolder(tmp_path, gathered)
    for verdict in (AUTHENTIC, ALTERED, ALTERED, AUTHENTIC):
        outcome = judged(verdict, SETTINGS, source="here", kept=replace(KEPT, images=None))
        report: Any = SimpleNamespace(location=("test_app.py", 1, "test_app"))
        put_on(report, {"test": "test_app.py::test_app", **outcome.to_dict()})
        gathered.pytest_runtest_logreport(report)
        folder.pytest_runtest_logreport(report)
    written = {file.name: json.loads(file.read_text())["status"] for file in tmp_path.glob("*.json")}
    assert written == {"tiny.json": "authentic", "tiny-2.json": "altered"}
    assert (tmp_path / "tiny-2.png").read_bytes() == b"png"


def test_an_outcome_without_files_leaves_none(tmp_path: Path) -> None:
    gathered = Gathered(SETTINGS, Configured(SETTINGS))
    report: Any = SimpleNamespace(location=("test_app.py", 1, "test_app"))
    outcome: Outcome = not_checked("gone", ValueError("x"))
    put_on(report, {"test": "test_app.py::test_app", **outcome.to_dict()})
    gathered.pytest_runtest_logreport(report)
    ReportFolder(tmp_path, gathered).pytest_runtest_logreport(report)
    assert list(tmp_path.iterdir()) == []
