"""``--sslauth-html``: one page with every check of a run, written by the controller."""

from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_each_check_is_on_the_page_once_with_its_tests(
    project: pytest.Pytester, alter_encoder: Callable[[], str], workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    tensor = alter_encoder()
    project.makepyfile(test_app=TESTS)
    result = project.runpytest("--sslauth-html=out.html", *workers)
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


def test_a_run_without_checks_has_an_empty_page(project: pytest.Pytester) -> None:
    project.makepyfile("def test_app():\n    pass\n")
    project.runpytest("--sslauth-html=out.html").assert_outcomes(passed=1)
    assert "0 of 0 encoders passed" in page(project)


@pytest.mark.parametrize("file", ["", " ", "cards/tiny/card.json/out.html", "models"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(
    project: pytest.Pytester, file: str
) -> None:
    result = project.runpytest(f"--sslauth-html={file}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --sslauth-html: *"])


def test_a_folder_that_vanishes_meanwhile_loses_no_outcome(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pathlib
        import pytest

        @pytest.mark.sslauth("models/tiny")
        def test_app():
            pathlib.Path("gone").rmdir()
        """
    )
    result = project.runpytest("--sslauth-html=gone/out.html")
    assert result.parseoutcomes()["passed"] == 1
    result.stdout.fnmatch_lines(["sslauth: no html file was written: *"])


def test_nothing_travels_without_the_option(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        def pytest_runtest_logreport(report):
            assert not hasattr(report, "sslauth_outcomes")
        """
    )
    project.makepyfile(test_app=TESTS)
    project.runpytest().assert_outcomes(passed=2, failed=1)
    assert not list(Path(project.path).glob("*.html"))
