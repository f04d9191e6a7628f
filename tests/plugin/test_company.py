"""Beside pytest's own ways to run and the plugins that people use: what is altered fails, what is not passes.

``tox run -e company`` installs all of these plugins, and runs this; each row is a process of its own, so that
all of them take minutes.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.skipif(
    os.environ.get("SSLAUTH_COMPANY") != "all",
    reason="takes minutes: SSLAUTH_COMPANY=all, or tox run -e company",
)

TESTS = """
import pytest

@pytest.mark.sslauth("models/tiny")
def test_authentic(authentic_encoder):
    assert len(authentic_encoder.embed(["a text"])) == 1

@pytest.mark.sslauth("models/altered", card="cards/tiny")
def test_altered():
    pass

def test_altered_by_call(sslauth):
    sslauth.assert_authentic("models/altered", card="cards/tiny")

def test_unrelated():
    pass
"""
OWN = {
    "as it is": (),
    "importlib": ("--import-mode=importlib",),
    "append": ("--import-mode=append",),
    "without cache": ("-p", "no:cacheprovider"),
    "strict": ("--strict-markers", "--strict-config"),
    "quiet": ("-q", "--no-header", "--tb=no"),
    "no capture": ("-s",),
    "no rewriting": ("--assert=plain",),
    # pytest-asyncio warns of an option of its own
    "warnings are errors": ("-W", "error", "-p", "no:asyncio"),
}
XDIST = ("load", "loadscope", "loadfile", "loadgroup", "worksteal", "each")
OTHERS = {
    "randomly": ("pytest_randomly", ()),
    "rerunfailures": ("pytest_rerunfailures", ("--reruns", "2")),
    "cov": ("pytest_cov", ("--cov=.",)),
    "html": ("pytest_html", ("--html=report.html", "--self-contained-html")),
    "timeout": ("pytest_timeout", ("--timeout=300",)),
    "asyncio": ("pytest_asyncio", ("--asyncio-mode=auto",)),
}
"""Plugin -> its module, and options that make it act."""


@pytest.fixture
def mixed(project: pytest.Pytester, alter_encoder: Callable[[], str]) -> pytest.Pytester:
    """A project with an encoder and an altered copy."""
    tiny = project.path / "models/tiny"
    kept = {file.name: file.read_bytes() for file in tiny.iterdir() if file.is_file()}
    alter_encoder()
    (project.path / "models/altered").mkdir()
    for file in list(tiny.iterdir()):
        if file.is_file():
            (project.path / "models/altered" / file.name).write_bytes(file.read_bytes())
            file.write_bytes(kept[file.name])
    project.makepyfile(TESTS)
    return project


def run(mixed: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run pytest in a process of its own."""
    return mixed.run(sys.executable, "-m", "pytest", "--sslauth-cards", "cards", *options)


@pytest.mark.parametrize("options", OWN.values(), ids=OWN)
def test_pytests_own_options(mixed: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = run(mixed, *options)
    assert result.ret == 1
    result.assert_outcomes(passed=2, failed=2)


@pytest.mark.parametrize("how", XDIST)
def test_every_way_to_distribute(mixed: pytest.Pytester, how: str) -> None:
    pytest.importorskip("xdist")
    result = run(mixed, "-n2", "--dist", how)
    assert result.ret == 1
    times = 2 if how == "each" else 1
    result.assert_outcomes(passed=2 * times, failed=2 * times)


def test_stopping_and_going_on(mixed: pytest.Pytester) -> None:
    """``-x``, then ``--lf``, ``--ff`` and ``--sw``: what is altered fails again each time."""
    in_order = partial(run, mixed, "-p", "no:randomly")
    in_order("-x").assert_outcomes(passed=1, failed=1)
    in_order().assert_outcomes(passed=2, failed=2)
    in_order("--lf").assert_outcomes(failed=2)
    in_order("--ff").assert_outcomes(passed=2, failed=2)
    assert in_order("--sw").ret == 2
    result = in_order("--sw")
    assert result.ret == 2
    assert "test_altered" in result.stdout.str()


def test_collecting_checks_nothing_and_says_nothing_else(mixed: pytest.Pytester) -> None:
    result = run(mixed, "--collect-only", "-q")
    assert result.ret == 0
    assert "4 tests collected" in result.stdout.str()
    assert "authentic:" not in result.stdout.str()


def needs(*modules: str) -> None:
    """Skip where a plugin is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module.replace('_', '-')} is not installed: tox run -e company")


@pytest.mark.parametrize("plugin", OTHERS)
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_other_plugins(mixed: pytest.Pytester, plugin: str, workers: tuple[str, ...]) -> None:
    module, options = OTHERS[plugin]
    needs(module, *(["xdist"] if workers else []))
    result = run(mixed, *options, *workers)
    assert result.ret == 1
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (2, 2)


def test_a_rerun_never_turns_an_altered_verdict_into_a_pass(
    mixed: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the encoder is right again by then: the report of the run has to fail."""
    needs("pytest_rerunfailures")
    monkeypatch.setenv("REPAIRED", str(mixed.path))
    mixed.makeconftest(
        """
import os, pathlib, shutil
def pytest_runtest_logreport(report):
    if report.failed:
        root = pathlib.Path(os.environ["REPAIRED"]) / "models"
        shutil.copyfile(root / "tiny/model.safetensors", root / "altered/model.safetensors")
"""
    )
    result = run(mixed, "--reruns", "3", "-k", "test_altered")
    assert result.ret == 1, result.stdout.str()


def test_all_of_them_at_once(mixed: pytest.Pytester) -> None:
    needs(*(module for module, _ in OTHERS.values()))
    result = run(mixed, *(option for _, options in OTHERS.values() for option in options), "-n2")
    assert result.ret == 1
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (2, 2)
    assert Path(mixed.path, "report.html").exists()
    assert Path(mixed.path, ".coverage").exists()
