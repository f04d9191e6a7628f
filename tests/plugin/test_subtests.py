"""Each of several encoders as a subtest, which pytest has since 9.0: the how-to's own test is run."""

import importlib.util
import re
import shutil
import xml.etree.ElementTree as ET  # our own output
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has no subtests before 9.0")

HOW_TO = Path(__file__).parents[2] / "docs/how-to/write-tests.md"
NAMES = ("minilm", "reranker")

PINS = "version = 1\n" + "".join(
    f'[encoders.{name}]\npath = "models/{name}"\ncard = "cards/tiny"\n' for name in NAMES
)
MARKED = """
import pytest

@pytest.mark.sslauth("minilm")
@pytest.mark.sslauth("reranker")
def test_marked():
    raise AssertionError("the body ran")
"""


def shown() -> str:
    """The test that the how-to shows."""
    (code,) = re.findall(r"```python\n(def test_\w+\(sslauth, subtests\):\n.*?)```", HOW_TO.read_text(), re.S)
    return str(code)


@pytest.fixture
def two(project: pytest.Pytester) -> pytest.Pytester:
    """A project with the encoders that the how-to names, and its test."""
    for name in NAMES:
        shutil.copytree(project.path / "models/tiny", project.path / "models" / name)
    (project.path / "sslauth.toml").write_text(PINS)
    project.makepyfile(test_app=f"{shown()}\ndef test_after():\n    pass\n")
    return project


def alter(project: pytest.Pytester, name: str) -> None:
    file = project.path / "models" / name / "tokenizer.json"
    file.write_text(file.read_text().replace('"cat"', '"c@t"'))


def outcomes(result: pytest.RunResult) -> list[str]:
    """What a run with ``-rA`` says of each test and subtest."""
    said = (line.partition(" - ")[0] for line in result.outlines if " test_app.py::" in line)
    return sorted(line for line in said if line.startswith(("PASSED", "FAILED", "SUB")))


def test_each_that_passes_is_one(two: pytest.Pytester) -> None:
    result = two.runpytest("-v")
    assert result.ret == 0
    expected = [
        *(f"*test_all_we_ship SUBPASSED(encoder='{name}')*" for name in NAMES),
        "*test_all_we_ship PASSED*",
    ]
    result.stdout.fnmatch_lines(expected)
    assert (counted := result.parseoutcomes())["passed"] == 2, counted


@pytest.mark.parametrize("altered", [*((name,) for name in NAMES), NAMES], ids=" and ".join)
def test_each_that_fails_is_one_and_fails_the_test(two: pytest.Pytester, altered: tuple[str, ...]) -> None:
    for name in altered:
        alter(two, name)
    result = two.runpytest("-rA")
    assert outcomes(result) == [
        "FAILED test_app.py::test_all_we_ship",
        "PASSED test_app.py::test_after",
        *(f"SUBFAILED(encoder='{name}') test_app.py::test_all_we_ship" for name in altered),
    ]
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*= sslauth =*", *(f"ALTERED       {name}*" for name in altered)])


def test_stopping_and_going_on(two: pytest.Pytester) -> None:
    for name in NAMES:
        alter(two, name)
    stopped = two.runpytest("-x")
    assert "ALTERED: reranker" not in stopped.stdout.str()
    stopped.stdout.fnmatch_lines(["ALTERED: minilm"])
    result = two.runpytest("--lf", "-rA")
    assert [line.partition(" ")[0] for line in outcomes(result)] == [
        "FAILED",
        "SUBFAILED(encoder='minilm')",
        "SUBFAILED(encoder='reranker')",
    ]
    assert two.runpytest("--sw").ret != 0


def test_workers_report_the_same(two: pytest.Pytester) -> None:
    if importlib.util.find_spec("xdist") is None:
        pytest.skip("pytest-xdist is not installed")
    alter(two, "reranker")
    result = two.runpytest_subprocess("-n2", "-rA")
    failed, passed, subtest = outcomes(result)
    assert (failed, passed) == ("FAILED test_app.py::test_all_we_ship", "PASSED test_app.py::test_after")
    # pytest quotes the name once more on its way from a worker
    assert subtest.startswith("SUBFAILED(")
    assert "'reranker'" in subtest


def test_the_evidence_of_each_is_in_junit_files(two: pytest.Pytester) -> None:
    alter(two, "reranker")
    two.runpytest("--junitxml=out.xml")
    (case,) = (
        case
        for case in ET.parse(two.path / "out.xml").iter("testcase")  # noqa: S314
        if case.get("name") == "test_all_we_ship"
    )
    said = [one.get("value") for one in case.iter("property") if one.get("name") == "sslauth_status"]
    assert said == ["authentic", "altered"]
    assert case.findall("failure")


def test_several_markers_are_one_outcome_that_reports_on_all(two: pytest.Pytester) -> None:
    for name in NAMES:
        alter(two, name)
    two.makepyfile(test_app=MARKED)
    result = two.runpytest("-rA")
    assert outcomes(result) == ["FAILED test_app.py::test_marked"]
    result.stdout.fnmatch_lines_random(["ALTERED: minilm", "ALTERED: reranker"])
    assert "the body ran" not in result.stdout.str()
