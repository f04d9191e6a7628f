"""Where the plugin is not loaded a marker checks nothing; the ini of the README makes that an error."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

README = Path(__file__).parents[2] / "README.md"

MARKED = """
    import pytest

    @pytest.mark.sslauth("models/absent")
    def test_search():
        pass
"""

OFF = {
    "autoload": ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, ()),
    "no:": ({}, ("-p", "no:sslauth")),
    "addopts": ({"PYTEST_ADDOPTS": "-p no:sslauth"}, ()),
}


def documented(*keys: str) -> str:
    """The lines of the README's ini that begin with these keys."""
    block = re.search(r"```ini\n\[pytest\]\n(.*?)```", README.read_text(), re.DOTALL)
    assert block
    return "\n".join(line for line in block[1].splitlines() if line.partition(" =")[0] in keys)


def run(
    plugged: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    *options: str,
    code: str = MARKED,
) -> pytest.RunResult:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    plugged.makepyfile(code)
    return plugged.runpytest_subprocess(*options)


@pytest.mark.parametrize("way", OFF)
@pytest.mark.parametrize("keys", [("required_plugins",), ("addopts",)])
def test_each_line_of_the_documented_ini_makes_it_an_error(
    plugged: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], way: str
) -> None:
    plugged.makeini(f"[pytest]\n{documented(*keys)}\n")
    environment, options = OFF[way]
    result = run(plugged, monkeypatch, environment, *options)
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    assert "sslauth" in result.stderr.str() or "sslauth" in result.stdout.str()


@pytest.mark.parametrize("way", OFF)
def test_without_that_ini_the_marker_is_only_warned_about(
    plugged: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    environment, options = OFF[way]
    result = run(plugged, monkeypatch, environment, *options)
    result.assert_outcomes(passed=1, warnings=1)
    assert "PytestUnknownMarkWarning" in result.stdout.str()


@pytest.mark.parametrize("way", OFF)
def test_fixtures_are_missed_without_any_ini(
    plugged: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    code = "def test_it(sslauth): pass\ndef test_more(authentic_encoder): pass"
    environment, options = OFF[way]
    run(plugged, monkeypatch, environment, *options, code=code).assert_outcomes(errors=2)


def test_named_it_is_loaded_without_autoload(
    plugged: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged.makeini(f"[pytest]\n{documented('required_plugins', 'addopts')}\n")
    result = run(plugged, monkeypatch, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, "-p", "sslauth")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *models/absent*"])


def test_named_by_its_module_it_checks_too_though_pytest_does_not_know_the_distribution(
    plugged: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_module = ("-p", "pytest_sslauth.plugin")
    plugged.makeini(f"[pytest]\n{documented('addopts')}\n")
    result = run(plugged, monkeypatch, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, *by_module)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *models/absent*"])
    plugged.makeini(f"[pytest]\n{documented('required_plugins')}\n")
    assert plugged.runpytest_subprocess(*by_module).ret == pytest.ExitCode.USAGE_ERROR
