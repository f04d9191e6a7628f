"""What GitHub Actions shows: annotations and a job summary, with strings of unknown origin in both."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_sslauth.github import annotation, append_summary, table
from pytest_sslauth.record import Evidence

pytest_plugins = ["pytester"]

ALTERED = Evidence("altered", "org/x", "1 of 2 tensors changed", margin=0.25, trust="pinned", seconds=1.23)
HOSTILE = "a,b:c%0A::error::x\n::warning::y\r\x1b[31m|<img src=x>[l](http://h)`@me` #1 **b**\u202e"


def test_an_annotation_is_one_command() -> None:
    assert annotation(ALTERED, None) == "::error title=sslauth%3A altered::org/x: 1 of 2 tensors changed"
    assert annotation(ALTERED, ("sslauth.toml", 7)).startswith("::error file=sslauth.toml,line=7,title=")


@pytest.mark.parametrize("field", ["encoder", "reason", "waiver"])
def test_an_annotation_ends_where_it_ends(field: str) -> None:
    said = annotation(Evidence(**{**vars(ALTERED), field: HOSTILE}), (HOSTILE, 1))
    assert said.isprintable()
    assert "\n" not in said
    properties, _, data = said.removeprefix("::error ").partition("::")
    assert [part.partition("=")[0] for part in properties.split(",")] == ["file", "line", "title"]
    assert "%0A" not in data.replace("%250A", "")


def test_the_summary_is_a_table() -> None:
    lines = table([ALTERED, Evidence("authentic", "org/y", "fine", waiver=None)], ["z"]).split("\n")
    assert lines[0] == "## sslauth"
    assert lines[4] == "| altered | org/x | pinned | 0.25 |  | 1.2 s | 1 of 2 tensors changed |"
    assert lines[5] == "| authentic | org/y |  |  |  |  |  |"
    assert lines[7] == "Configured and not checked: z"
    assert table([]) == ""


@pytest.mark.parametrize("field", ["encoder", "reason", "trust", "endpoint", "precision"])
def test_cells_are_text(field: str) -> None:
    text = table([Evidence(**{**vars(ALTERED), field: HOSTILE})], [HOSTILE])
    row = text.split("\n")[4]
    assert row.count("|") == 8
    assert not re.search(r"[<>\[\]`@*]", re.sub(r"&#\d+;", "", text))
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_summary_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    assert append_summary("x", {}) is None
    assert append_summary("", {"GITHUB_STEP_SUMMARY": str(tmp_path)}) is None
    assert "no job summary was written" in str(append_summary("x", {"GITHUB_STEP_SUMMARY": str(tmp_path)}))
    file = tmp_path / "summary.md"
    for _ in range(2):
        assert append_summary("x", {"GITHUB_STEP_SUMMARY": str(file)}) is None
    assert file.read_text() == "x\nx\n"


def test_a_run_on_github_shows_each_encoder_once(
    project: pytest.Pytester, alter_encoder: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alter_encoder()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    pin = '[encoders.search]\npath = "models/tiny"\ncard = "cards/tiny"\n'
    (project.path / "sslauth.toml").write_text(f"version = 1\n\n{pin}")
    project.makeini("[pytest]\n")
    project.makepyfile("def test_app(sslauth):\n    sslauth.assert_authentic('search')\n")
    result = project.runpytest()
    result.assert_outcomes(failed=2)
    commands = [line for line in result.outlines if line.startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::error file=sslauth.toml,line=3,title=sslauth%3A altered::search: 1 of ")
    text = (project.path / "summary.md").read_text()
    assert text.count("| altered | search | local | 0.") == 1


def test_elsewhere_nothing_of_it_is_shown(
    project: pytest.Pytester, alter_encoder: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alter_encoder()
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    project.makepyfile("def test_app(sslauth):\n    sslauth.assert_authentic('models/tiny')\n")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("::*")
    assert not (project.path / "summary.md").exists()
