"""An installed plugin that no test uses imports nothing but itself and the standard library."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HEAVY = {"hf_integration", "torch", "numpy", "transformers", "huggingface_hub", "PIL", "safetensors", "rich"}

DUMP = """
    import json, pathlib, sys

    def pytest_unconfigure(config):
        name = config.getoption("basetemp") or "modules"
        pathlib.Path(f"{name}.json").write_text(json.dumps(sorted(sys.modules)))
"""


def modules_of_a_run(pytester: pytest.Pytester, name: str, *args: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={name}", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pytester.path)
    assert done.returncode == 0, done.stdout + done.stderr
    modules: list[str] = json.loads(Path(f"{name}.json").read_text())
    return set(modules)


@pytest.fixture
def plain(plugged: pytest.Pytester) -> pytest.Pytester:
    plugged.makeconftest(DUMP)
    plugged.makepyfile("def test_plain():\n    pass\n")
    return plugged


def test_an_unused_plugin_imports_only_itself_and_the_standard_library(plain: pytest.Pytester) -> None:
    with_plugin = modules_of_a_run(plain, "with", "--strict-markers")
    without = modules_of_a_run(plain, "without", "-p", "no:sslauth")
    added = {name.partition(".")[0] for name in with_plugin - without}
    assert "pytest_sslauth" in added
    assert added - sys.stdlib_module_names == {"pytest_sslauth"}
    assert not HEAVY & {name.partition(".")[0] for name in with_plugin}


def test_showing_options_and_markers_imports_nothing_heavy(plain: pytest.Pytester) -> None:
    for option in ("--help", "--markers", "--fixtures"):
        found = modules_of_a_run(plain, f"show{option}", option)
        assert not HEAVY & {name.partition(".")[0] for name in found}


def test_the_package_gives_its_class_only_when_asked(plugged: pytest.Pytester) -> None:
    code = (
        "import sys, pytest_sslauth, pytest_sslauth.plugin\n"
        "assert 'torch' not in sys.modules and 'hf_integration' not in sys.modules\n"
        "from pytest_sslauth import SSLAuth\n"
        "assert SSLAuth.__name__ == 'SSLAuth'\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_switched_off_it_leaves_no_option_and_no_marker(plain: pytest.Pytester) -> None:
    result = plain.runpytest_subprocess("-p", "no:sslauth", "--markers")
    result.stdout.no_fnmatch_line("*sslauth*")
    assert (
        plain.runpytest_subprocess("-p", "no:sslauth", "--sslauth-device=cpu").ret
        == pytest.ExitCode.USAGE_ERROR
    )


def test_the_markers_text_is_the_signature(plain: pytest.Pytester) -> None:
    plain.runpytest_subprocess("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.sslauth(encoder: str, *, revision: *, card: *, precision: *): Authenticate this *"]
    )
