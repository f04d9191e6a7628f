"""Files about a whole run: the page, SARIF and GitLab's report, written by the controller."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sslauth.options import REPORT_FILES
from tests.report.test_code_hosts import check_gitlab

pytest_plugins = ["pytester"]

TESTS = """
import pytest


@pytest.mark.sslauth("models/tiny")
def test_marked():
    pass


def test_called(sslauth):
    sslauth.assert_authentic("models/tiny")


@pytest.mark.sslauth("models/absent")
def test_absent():
    pass
"""


def page(project: pytest.Pytester) -> str:
    return (project.path / "out.html").read_text(encoding="utf-8")


def test_each_check_is_on_the_page_once_with_its_tests(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    tensor = alter_encoder()
    project.makepyfile(test_app=TESTS)
    result = project.runpytest("--sslauth-html=out.html")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines([f"sslauth: html: {project.path}/out.html"])
    text = page(project)
    assert text.count("<article") == 2
    assert "0 of 2 encoders passed" in text
    altered = text.partition('<article class="check altered"')[2].partition("</article>")[0]
    for said in (tensor, "test_app.py::test_marked", "test_app.py::test_called", "data:image/png;base64,"):
        assert said in altered
    assert altered.count("<figure>") == 1 + 5
    other = text.partition('<article class="check inconclusive"')[2].partition("</article>")[0]
    for said in ("NOT CHECKED, which is not a pass", "models/absent", "test_app.py::test_absent"):
        assert said in other


def test_what_passes_is_on_it_too(project: pytest.Pytester) -> None:
    project.makepyfile(test_app=TESTS.partition('@pytest.mark.sslauth("models/absent")')[0])
    project.runpytest("--sslauth-html=out.html").assert_outcomes(passed=2)
    assert "1 of 1 encoders passed" in page(project)
    assert '<article class="check authentic"' in page(project)


EMPTY = {"html": "0 of 0 encoders passed", "sarif": '"results": []', "gitlab": "[]\n"}


@pytest.mark.parametrize("name", REPORT_FILES)
def test_a_run_without_checks_has_an_empty_report(project: pytest.Pytester, name: str) -> None:
    project.makepyfile("def test_app():\n    pass\n")
    project.runpytest(f"--sslauth-{name}=out/report").assert_outcomes(passed=1)
    assert EMPTY[name] in (project.path / "out/report").read_text()


@pytest.mark.parametrize("name", REPORT_FILES)
@pytest.mark.parametrize("file", ["", " ", "cards/tiny/card.json/out", "models"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(
    project: pytest.Pytester, name: str, file: str
) -> None:
    result = project.runpytest(f"--sslauth-{name}={file}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --sslauth-{name}: *"])


def test_one_file_for_two_reports_is_refused(project: pytest.Pytester) -> None:
    result = project.runpytest("--sslauth-html=out", "--sslauth-gitlab=models/../out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sslauth-html and --sslauth-gitlab name the same file: *"])


def test_a_folder_that_vanishes_loses_no_outcome_and_no_other_file(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        import pathlib
        import pytest

        @pytest.mark.sslauth("models/tiny")
        def test_app():
            pathlib.Path("gone").rmdir()
        """
    )
    result = project.runpytest(
        "-W", "error", "--sslauth-html=gone/out", "--sslauth-sarif=gone/sarif", "--sslauth-gitlab=out.json"
    )
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "sslauth: no html file was written: *",
            "sslauth: no sarif file was written: *",
            "sslauth: gitlab: *",
        ]
    )
    assert (project.path / "out.json").read_text() == "[]\n"


def test_nothing_travels_and_nothing_is_written_without_an_option(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        def pytest_runtest_logreport(report):
            assert not hasattr(report, "sslauth_outcomes")
        """
    )
    project.makepyfile(test_app=TESTS)
    before = set(project.path.iterdir())
    project.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2, failed=1)
    assert {path.name for path in set(project.path.iterdir()) - before} <= {"__pycache__"}


def test_collecting_alone_writes_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(test_app=TESTS)
    project.runpytest("--collect-only", *(f"--sslauth-{name}=out/{name}" for name in REPORT_FILES))
    assert list((project.path / "out").iterdir()) == []


PINS = """version = 1

[encoders.search]
path = "models/tiny"
card = "cards/tiny"

[encoders.idle]
path = "models/tiny"
card = "cards/tiny"

[encoders.missing]
path = "models/absent"
card = "cards/tiny"

[encoders.good]
path = "models/good"
card = "cards/tiny"
"""
APP = """
import pytest


@pytest.mark.sslauth("models/good", card="cards/tiny", precision="float32")
def test_unpinned():
    pass


@pytest.mark.sslauth("models/nowhere", card="cards/tiny")
def test_nowhere():
    pass
"""
FOUND = {
    ("encoder-altered", "sslauth.toml", 3),
    ("not-selected", "sslauth.toml", 7),
    ("not-checked", "sslauth.toml", 11),
    ("encoder-authentic", "sslauth.toml", 15),
    ("not-checked", "test_app.py", 9),
}
"""What is said of each entry and test, and where; a test of an encoder that has an entry is shown there."""


class TestPlaces:
    @pytest.fixture
    def pinned(self, project: pytest.Pytester, alter_encoder: Callable[[], str]) -> pytest.Pytester:
        """A service in a repository, with entries of every kind."""
        from shutil import copytree

        copytree(project.path / "models/tiny", project.path / "models/good")
        alter_encoder()
        project.makeini("[pytest]\n")
        (project.path / "sslauth.toml").write_text(PINS)
        project.makepyfile(test_app=APP)
        return project

    def reports(self, pinned: pytest.Pytester) -> tuple[Any, Any]:
        files = ("--sslauth-sarif=out.sarif", "--sslauth-gitlab=out.json")
        pinned.runpytest(*files, "-k", "not idle").assert_outcomes(passed=2, failed=3, deselected=1)
        log = json.loads((pinned.path / "out.sarif").read_text())
        return log, json.loads((pinned.path / "out.json").read_text())

    def test_each_finding_is_at_its_entry_or_its_test(self, pinned: pytest.Pytester) -> None:
        log, report = self.reports(pinned)
        results = log["runs"][0]["results"]
        assert {self.place(result) for result in results} == FOUND
        # the same encoder as an entry in float64, and in a test in float32
        assert sum(result["kind"] == "pass" for result in results) == 2
        check_gitlab(report)
        assert {
            (entry["check_name"].removeprefix("sslauth-"), *self.gitlab_place(entry)) for entry in report
        } == {found for found in FOUND if found[0] != "encoder-authentic"}

    def test_sarif_is_valid(self, pinned: pytest.Pytester) -> None:
        pytest.importorskip("jsonschema", reason="jsonschema is not installed")
        from tests.report.sarif import flaws

        log, _ = self.reports(pinned)
        assert flaws(log) == []

    def place(self, result: Any) -> tuple[str, str, int]:
        place = result["locations"][0]["physicalLocation"]
        return result["ruleId"], place["artifactLocation"]["uri"], place["region"]["startLine"]

    def gitlab_place(self, entry: Any) -> tuple[str, int]:
        return entry["location"]["path"], entry["location"]["lines"]["begin"]


def test_a_page_names_what_was_left_out(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\n")
    (project.path / "sslauth.toml").write_text(PINS)
    project.runpytest("--sslauth-html=out.html", "-k", "search").assert_outcomes(passed=1, deselected=3)
    text = page(project)
    assert "1 of 4 encoders passed" in text
    assert text.count('<span class="status">NOT SELECTED, which is not a pass:') == 3
