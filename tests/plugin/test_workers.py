"""Two workers leave what one process leaves: every file, every property and every picture, written once."""

import importlib.util
import json
import re
import shutil
import xml.etree.ElementTree as ET  # our own output
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]
pytest.importorskip("xdist", reason="pytest-xdist is not installed")

PINS = """version = 1

[encoders.search]
path = "models/tiny"
card = "cards/tiny"

[encoders.missing]
path = "models/absent"
card = "cards/tiny"

[encoders.idle]
path = "models/idle"
"""
TESTS = """
import pytest


@pytest.mark.sslauth("search")
def test_marked():
    pass


@pytest.mark.sslauth("models/good", card="cards/tiny")
def test_good(authentic_encoder):
    pass


def test_called(sslauth):
    sslauth.assert_authentic("search")


def test_again(sslauth):
    sslauth.assert_authentic("search")
"""
ONLY_THE_CONTROLLER = """
import os, sys

def refuse(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and f"{os.sep}two{os.sep}" in arguments[0]:
        assert not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT), f"a worker writes {arguments[0]}"

def pytest_configure(config):
    if hasattr(config, "workerinput"):
        sys.addaudithook(refuse)
"""
HTML_PLUGIN = importlib.util.find_spec("pytest_html") is not None


def left_by(project: pytest.Pytester, name: str, *arguments: str) -> dict[str, Any]:
    """What a run leaves, in a form in which two runs can be compared: times, margins and orders left out."""
    folder = project.path / name
    files = {what: folder / what for what in ("html", "sarif", "gitlab")}
    result = project.runpytest(
        *(f"--sslauth-{what}={file}" for what, file in files.items()),
        f"--sslauth-report-dir={folder / 'reports'}",
        f"--junitxml={folder / 'junit.xml'}",
        *([f"--html={folder / 'plugin.html'}"] if HTML_PLUGIN else []),
        *("-k", "not idle", *arguments),
    )
    result.assert_outcomes(passed=1, failed=5, deselected=0 if arguments else 1)
    page = files["html"].read_text()
    results = json.loads(files["sarif"].read_text())["runs"][0]["results"]
    said = re.findall(r"reports +(\S+\.json), (\S+\.png)", result.stdout.str())
    return {
        "articles": Counter(re.findall(r'<article class="check (\w+)"', page)),
        "tests on the page": Counter(re.findall(r"(?:test_app\.py|sslauth\.toml)::\w+", page)),
        "sarif": sorted((one["ruleId"], one["partialFingerprints"]["sslauth/v1"]) for one in results),
        "gitlab": json.loads(files["gitlab"].read_text()),
        "reports": {path.name for path in (folder / "reports").iterdir()},
        "reports that failures name": {Path(file).name for pair in said for file in pair},
        "properties": properties(folder / "junit.xml"),
        "pictures": pictures(folder / "plugin.html") if HTML_PLUGIN else {},
    }


def properties(file: Path) -> dict[str | None, dict[str, str]]:
    """Those of ours of each test case whose values are not measured."""
    return {
        case.get("name"): {
            str(one.get("name")): str(one.get("value"))
            for one in case.iter("property")
            if one.get("name") in ("sslauth_status", "sslauth_card")
        }
        for case in ET.parse(file).iter("testcase")  # noqa: S314
    }


def pictures(file: Path) -> dict[str, int]:
    """How many pytest-html shows of each test."""
    blob = re.search(r'data-jsonblob="([^"]*)"', file.read_text(encoding="utf-8"))
    assert blob
    tests = json.loads(unescape(blob[1]))["tests"]
    shown = {nodeid: found[0]["extras"] for nodeid, found in tests.items()}
    assert all((file.parent / extra["content"]).is_file() for extras in shown.values() for extra in extras)
    return {nodeid: len(extras) for nodeid, extras in shown.items()}


def test_two_workers_leave_what_one_process_leaves(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    shutil.copytree(project.path / "models/tiny", project.path / "models/good")
    alter_encoder()
    project.makeini("[pytest]\n")
    (project.path / "sslauth.toml").write_text(PINS)
    project.makeconftest(ONLY_THE_CONTROLLER)
    project.makepyfile(test_app=TESTS)
    one, two = left_by(project, "one"), left_by(project, "two", "-n2")
    for what, left in one.items():
        assert left or not HTML_PLUGIN, what
        assert two[what] == left, what
    assert one["articles"] == {"altered": 1, "inconclusive": 2, "authentic": 1}
    assert len(one["reports"]) == 4
    assert one["reports that failures name"] < one["reports"]
    assert one["properties"]["test_called"]["sslauth_status"] == "altered"
