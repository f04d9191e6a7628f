"""``sslauth.toml`` is collected: each encoder and each endpoint is a test of its own."""

import json
import shutil
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.endpoints.encoders import serving
from tests.endpoints.server import EmbeddingServer

pytest_plugins = ["pytester"]

FIRST = '[encoders.first]\npath = "models/tiny"\ncard = "cards/tiny"\n'
SECOND = '[encoders.second]\npath = "models/other"\ncard = "cards/tiny"\n'
PINS = f"version = 1\n\n{FIRST}\n{SECOND}"


@pytest.fixture
def pinned(project: pytest.Pytester) -> pytest.Pytester:
    """A project with two encoders, of which the second is another folder, and a test of its own."""
    project.makeini("[pytest]\n")
    shutil.copytree(project.path / "models" / "tiny", project.path / "models" / "other")
    (project.path / "sslauth.toml").write_text(PINS)
    (project.path / "tests").mkdir()
    (project.path / "tests" / "test_app.py").write_text("def test_app():\n    pass\n")
    return project


@pytest.fixture
def alter_second(pinned: pytest.Pytester) -> Callable[[], None]:
    def alter() -> None:
        file = pinned.path / "models" / "other" / "tokenizer.json"
        file.write_text(file.read_text().replace('"cat"', '"c@t"'))

    return alter


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Outcome by node id, of a run with ``-rA`` and ``-v``."""
    found = {}
    for line in result.outlines:
        word, _, rest = line.partition(" ")
        if word in ("PASSED", "FAILED", "ERROR") and "::" in rest:
            found[rest.partition(" - ")[0]] = word.lower()
    return found


ALL = {
    "sslauth.toml::first": "passed",
    "sslauth.toml::second": "passed",
    "tests/test_app.py::test_app": "passed",
}
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "no path": ("", ()),
    "testpaths": ("testpaths = tests", ()),
    "this folder": ("", (".",)),
    "both": ("", ("tests", "sslauth.toml")),
}


@pytest.mark.parametrize(
    ("way", "workers"),
    [*((way, ()) for way in WAYS), ("no path", ("-n2",)), ("testpaths", ("-n2", "--dist=loadfile"))],
)
def test_each_encoder_is_a_test(pinned: pytest.Pytester, way: str, workers: tuple[str, ...]) -> None:
    if workers:
        pytest.importorskip("xdist")
    ini, arguments = WAYS[way]
    pinned.makeini(f"[pytest]\n{ini}\n")
    result = pinned.runpytest("-rA", *workers, *arguments)
    assert outcomes(result) == ALL, result.stdout.str()
    result.stdout.no_fnmatch_line("*not selected*")


SELECTED: list[tuple[tuple[str, ...], list[str], str | None]] = [
    (
        ("sslauth.toml::second",),
        ["sslauth.toml::second"],
        "*1 configured encoder was not checked: first",
    ),
    (("-k", "first"), ["sslauth.toml::first"], "*1 configured encoder was not checked: second"),
    (("-m", "sslauth"), ["sslauth.toml::first", "sslauth.toml::second"], None),
    (
        ("tests",),
        ["tests/test_app.py::test_app"],
        "*2 configured encoders were not checked: first, second",
    ),
    (
        ("--ignore=sslauth.toml",),
        ["tests/test_app.py::test_app"],
        "*2 configured encoders were not checked: first, second",
    ),
    (
        ("--deselect=sslauth.toml::first",),
        ["sslauth.toml::second", "tests/test_app.py::test_app"],
        "*1 configured encoder was not checked: first",
    ),
]


@pytest.mark.parametrize(
    ("row", "workers"), [*((row, ()) for row in SELECTED), (SELECTED[1], ("-n2",)), (SELECTED[3], ("-n2",))]
)
def test_they_are_selected_like_other_tests(
    pinned: pytest.Pytester, row: tuple[tuple[str, ...], list[str], str | None], workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    arguments, expected, left_out = row
    for required in ((), ("--sslauth-require",))[bool(workers) :]:
        result = pinned.runpytest("-rA", *workers, *arguments, *required)
        assert sorted(outcomes(result)) == expected, result.stdout.str()
        if left_out is None:
            assert result.ret == 0
            result.stdout.no_fnmatch_line("*configured encoder* not *")
        elif required:
            assert result.ret == 1
            names = left_out.partition(": ")[2]
            result.stdout.fnmatch_lines(
                [f"ERROR: *configured encoder* not checked, and --sslauth-require is set: {names}"]
            )
        else:
            assert result.ret == 0
            result.stdout.fnmatch_lines([left_out])


def test_an_altered_encoder_fails_at_its_entry(
    pinned: pytest.Pytester, alter_second: Callable[[], None]
) -> None:
    alter_second()
    result = pinned.runpytest("-rA", "--junitxml=out.xml", "-o", "junit_family=xunit1")
    assert result.ret == 1
    assert outcomes(result) == {**ALL, "sslauth.toml::second": "failed"}
    result.stdout.fnmatch_lines(["*_ second _*", "ALTERED: second", "  settings * tokenizer.json*"])
    written = ET.parse(pinned.path / "out.xml")  # noqa: S314
    cases = {case.get("name"): case for case in written.iter("testcase")}
    second = cases["second"]
    assert (second.get("file"), second.get("line")) == ("sslauth.toml", "6")
    assert second.find("failure") is not None
    assert second.find("error") is None
    properties = {found.get("name"): found.get("value") for found in second.iter("property")}
    assert properties["sslauth_status"] == "altered"
    assert json.loads(str(properties["sslauth_check"]))["entry"] == "second"
    assert float(str(second.get("time"))) > 0


def test_a_marked_test_of_the_same_encoder_checks_nothing_twice(pinned: pytest.Pytester) -> None:
    (pinned.path / "tests" / "test_app.py").write_text(
        """
import pytest


@pytest.mark.sslauth("first")
@pytest.mark.sslauth("second")
def test_app(pytestconfig):
    from pytest_sslauth.session import SESSION
    assert len(pytestconfig.stash[SESSION]._checks._checked) == 2
"""
    )
    pinned.runpytest().assert_outcomes(passed=3)


def test_an_entry_that_another_test_checks_is_not_left_out(pinned: pytest.Pytester) -> None:
    (pinned.path / "tests" / "test_app.py").write_text(
        'import pytest\n\n@pytest.mark.sslauth("models/other")\ndef test_app():\n    pass\n'
    )
    result = pinned.runpytest("--sslauth-require", "tests")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: 1 configured encoder was not checked*: first"])


def test_endpoints_are_items_of_their_own(pinned: pytest.Pytester) -> None:
    with EmbeddingServer("tei", serving(pinned.path / "models" / "tiny")) as server:
        endpoint = f'url = "{server.url}"\napi = "tei"\nkeys = 16\n'
        (pinned.path / "sslauth.toml").write_text(f"{PINS}\n[encoders.second.endpoint]\n{endpoint}")
        result = pinned.runpytest("-rA", "-v", "sslauth.toml")
    names = ["first", "second", "second@endpoint"]
    assert outcomes(result) == {f"sslauth.toml::{name}": "passed" for name in names}, result.stdout.str()


def test_of_an_endpoint_by_card_only_the_endpoint_is_checked(pinned: pytest.Pytester) -> None:
    text = 'url = "http://127.0.0.1:9"\napi = "tei"\nby_card = true\n'
    (pinned.path / "sslauth.toml").write_text(f"{PINS}\n[encoders.second.endpoint]\n{text}")
    result = pinned.runpytest("--collect-only", "-q", "sslauth.toml")
    assert [line for line in result.outlines if "::" in line] == [
        "sslauth.toml::first",
        "sslauth.toml::second@endpoint",
    ]
    result.stdout.no_fnmatch_line("*not selected*")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "version = 1\n[encoders.x]\nrepoo = 'a/b'\n",
            "*sslauth.toml, line 3: encoders.x.repoo: unknown key*",
        ),
        ("version = [\n", "*sslauth.toml: *; nothing in it was checked"),
        ("\x00", "*sslauth.toml: *"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(pinned: pytest.Pytester, text: str, said: str) -> None:
    (pinned.path / "sslauth.toml").write_text(text)
    result = pinned.runpytest()
    assert result.ret != 0
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")
    required = pinned.runpytest("tests", "--sslauth-require")
    assert required.ret == 1
    required.stdout.fnmatch_lines(["ERROR: 1 configured encoder was not checked*: what is in sslauth.toml*"])


def test_another_file_is_collected_and_enforced(pinned: pytest.Pytester) -> None:
    (pinned.path / "trust").mkdir()
    text = PINS.replace('"models/', '"../models/').replace('"cards/', '"../cards/')
    (pinned.path / "trust" / "pins.toml").write_text(text.replace("first", "third"))
    result = pinned.runpytest("-rA", "--sslauth-config=trust/pins.toml")
    assert sorted(outcomes(result)) == [
        "tests/test_app.py::test_app",
        "trust/pins.toml::second",
        "trust/pins.toml::third",
    ], result.stdout.str()
    (pinned.path / "tests" / "test_app.py").write_text(
        'def test_app(sslauth):\n    assert sslauth.authenticate("third").trust == "local"\n'
    )
    pinned.runpytest("--sslauth-config=trust/pins.toml", "tests").assert_outcomes(passed=1)


def test_files_of_that_name_elsewhere_are_no_tests(pinned: pytest.Pytester) -> None:
    shutil.copy(pinned.path / "sslauth.toml", pinned.path / "tests" / "sslauth.toml")
    result = pinned.runpytest("--collect-only", "-q")
    assert sorted(line for line in result.outlines if "::" in line) == sorted(ALL)


@pytest.mark.parametrize("where", ["tests", "elsewhere"])
def test_a_run_that_was_started_in_a_folder_below_checks_them_too(
    pinned: pytest.Pytester, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pinned.path / "elsewhere").mkdir()
    monkeypatch.chdir(pinned.path / where)
    result = pinned.runpytest("-rA", f"--rootdir={pinned.path}", "-c", str(pinned.path / "tox.ini"))
    names = {nodeid.rpartition("::")[2] for nodeid in outcomes(result)}
    assert names >= {"first", "second"}, result.stdout.str()


def test_without_the_file_nothing_changes(project: pytest.Pytester) -> None:
    project.makepyfile("def test_app():\n    pass\n")
    result = project.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*configured*")
    required = project.runpytest("--sslauth-require")
    assert required.ret == pytest.ExitCode.USAGE_ERROR
    required.stderr.fnmatch_lines(["ERROR: --sslauth-require: there is no */sslauth.toml"])


def test_without_the_plugin_they_are_no_tests(pinned: pytest.Pytester) -> None:
    pinned.runpytest("-p", "no:sslauth").assert_outcomes(passed=1)


HOSTILE: list[Any] = ["a b", "ünïcode", "dots.and.more", "x" * 60, "-k", "first::second", "[param]"]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_an_entry_is_called_it_is_a_test(pinned: pytest.Pytester, name: str) -> None:
    (pinned.path / "sslauth.toml").write_text(
        PINS.replace("[encoders.first]", f"[encoders.{json.dumps(name)}]")
    )
    result = pinned.runpytest("-rA", "sslauth.toml")
    said = result.parseoutcomes()
    assert said in ({"passed": 2}, {"error": 1}, {"errors": 1}), result.stdout.str()
    if "error" in said or "errors" in said:
        result.stdout.fnmatch_lines(["*sslauth.toml, line *"])


SKIPPED = {
    "a mark": """
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.skip)
""",
    "a hook before the check": """
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    pytest.skip("not today")
""",
    "a hook that runs nothing": """
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return True
""",
}


@pytest.mark.parametrize("way", SKIPPED)
def test_an_item_that_was_not_checked_is_left_out_whatever_kept_it_from_that(
    pinned: pytest.Pytester, way: str
) -> None:
    pinned.makeconftest(f"import pytest\n{SKIPPED[way]}")
    result = pinned.runpytest("sslauth.toml")
    result.stdout.fnmatch_lines(["*2 configured encoders were not checked: first, second"])
    required = pinned.runpytest("--sslauth-require", "sslauth.toml")
    assert required.ret == 1
    required.stdout.fnmatch_lines(["ERROR: 2 configured encoders were not checked*: first, second"])


def test_an_item_whose_marker_was_taken_away_fails(pinned: pytest.Pytester) -> None:
    pinned.makeconftest(
        """
        def pytest_collection_modifyitems(items):
            for item in items:
                item.own_markers.clear()
        """
    )
    result = pinned.runpytest("sslauth.toml")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["sslauth.toml::first: nothing was checked, *"])


def test_a_file_in_a_folder_that_pytest_does_not_enter_is_no_pass_unseen(pinned: pytest.Pytester) -> None:
    (pinned.path / ".trust").mkdir()
    text = PINS.replace('"models/', '"../models/').replace('"cards/', '"../cards/')
    (pinned.path / ".trust" / "pins.toml").write_text(text)
    result = pinned.runpytest("--sslauth-config=.trust/pins.toml")
    result.stdout.fnmatch_lines(["*2 configured encoders were not checked: first, second"])
    assert pinned.runpytest("--sslauth-config=.trust/pins.toml", "--sslauth-require").ret == 1
    named = pinned.runpytest("-rA", "--sslauth-config=.trust/pins.toml", ".trust/pins.toml")
    assert sorted(outcomes(named)) == [".trust/pins.toml::first", ".trust/pins.toml::second"]
