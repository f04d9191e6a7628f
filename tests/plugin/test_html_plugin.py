"""Pictures in the report of pytest-html: the real plugin writes it, and what it shows is read from it."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pytest_sslauth.html_plugin import MOST_TESTS, NAME

pytest_plugins = ["pytester"]
pytest.importorskip("pytest_html", reason="pytest-html is not installed")

TESTS = """
import pytest


@pytest.mark.sslauth("models/tiny")
def test_marked():
    pass


def test_called(sslauth):
    sslauth.assert_authentic("models/tiny")


@pytest.mark.sslauth("models/good", card="cards/tiny")
def test_good():
    pass


@pytest.mark.sslauth("models/absent")
def test_absent():
    pass


def test_plain():
    pass
"""


@pytest.fixture
def altered(project: pytest.Pytester, alter_encoder: Callable[[], str]) -> pytest.Pytester:
    shutil.copytree(project.path / "models/tiny", project.path / "models/good")
    alter_encoder()
    project.makepyfile(test_app=TESTS)
    return project


def rows(file: Path) -> dict[str, list[Any]]:
    """What the report shows beside each test, by the test's name."""
    blob = re.search(r'data-jsonblob="([^"]*)"', file.read_text(encoding="utf-8"))
    assert blob
    tests = json.loads(unescape(blob[1]))["tests"]
    return {nodeid.partition("::")[2]: row["extras"] for nodeid, found in tests.items() for row in found}


def pictures(folder: Path, extras: list[Any]) -> list[bytes]:
    """Every one of them, from wherever the report has it."""
    found = []
    for extra in extras:
        assert (extra["name"], extra["format_type"]) == (NAME, "image")
        inline = extra["content"].startswith("data:image/png;base64,")
        content = extra["content"].partition(",")[2]
        found.append(base64.b64decode(content) if inline else (folder / extra["content"]).read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in found)
    return found


@pytest.mark.parametrize("way", [(), ("--self-contained-html",)], ids=["files", "self-contained"])
def test_a_failed_test_shows_the_watermarks_of_its_encoder(
    altered: pytest.Pytester, way: tuple[str, ...]
) -> None:
    result = altered.runpytest("--html=out/report.html", *way)
    result.assert_outcomes(passed=2, failed=3)
    shown = {
        name: pictures(altered.path / "out", found)
        for name, found in rows(altered.path / "out/report.html").items()
    }
    assert {name: len(found) for name, found in shown.items()} == {
        "test_marked": 1,
        "test_called": 1,
        "test_good": 1,
        "test_absent": 0,
        "test_plain": 0,
    }
    assert shown["test_marked"] == shown["test_called"] != shown["test_good"]


def test_the_picture_is_that_of_the_check(altered: pytest.Pytester) -> None:
    altered.runpytest("--html=report.html", "--sslauth-report-dir=out").assert_outcomes(passed=2, failed=3)
    shown = {
        name: pictures(altered.path, found) for name, found in rows(altered.path / "report.html").items()
    }
    (tiny,) = (altered.path / "out").glob("tiny-*.png")
    (good,) = (altered.path / "out").glob("good-*.png")
    assert shown["test_marked"] == [tiny.read_bytes()]
    assert shown["test_good"] == [good.read_bytes()]


def test_on_failure_leaves_out_what_is_authentic(altered: pytest.Pytester) -> None:
    altered.runpytest("--html=report.html", "--sslauth-evidence=on-failure")
    found = rows(altered.path / "report.html")
    assert [len(found[name]) for name in ("test_marked", "test_good")] == [1, 0]


def test_extras_of_others_stay(altered: pytest.Pytester) -> None:
    altered.makeconftest(
        """
        import pytest, pytest_html

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if report.when == "call":
                report.extras = [pytest_html.extras.text("mine", name="Mine")]
            return report
        """
    )
    altered.runpytest("--html=report.html", "-k", "called or plain")
    found = rows(altered.path / "report.html")
    assert [extra["name"] for extra in found["test_called"]] == ["Mine", NAME]
    assert [extra["name"] for extra in found["test_plain"]] == ["Mine"]


def test_without_a_report_nothing_is_drawn_and_nothing_travels(altered: pytest.Pytester) -> None:
    altered.makeconftest(
        """
        def pytest_runtest_logreport(report):
            assert not hasattr(report, "sslauth_outcomes")
            assert not getattr(report, "extras", [])
        """
    )
    altered.runpytest().assert_outcomes(passed=2, failed=3)


def test_a_check_of_very_many_tests_is_shown_in_some(altered: pytest.Pytester) -> None:
    altered.makepyfile(
        test_app=f"""
        import pytest

        @pytest.mark.parametrize("n", range({MOST_TESTS + 3}))
        @pytest.mark.sslauth("models/tiny")
        def test_app(n):
            pass
        """
    )
    result = altered.runpytest("--html=report.html")
    assert sum(len(found) for found in rows(altered.path / "report.html").values()) == MOST_TESTS
    result.stdout.fnmatch_lines(["sslauth: 3 pictures were left out of the report of pytest-html"])


MARKUP = "<img src=x onerror=alert(1)>"
NAMES = [
    MARKUP,
    "]]>",
    "\\x",
    "\\N{BOGUS}",
    "é" * 300,
    "../" * 5 + "up",
    "\x1b[31m\u202e",
]


def test_names_of_tests_end_no_run_and_steer_no_file(altered: pytest.Pytester) -> None:
    """Markup in a test's own id is pytest-html's to escape; files of ours go where its own go."""
    altered.makepyfile(
        test_app=f"""
        import pytest

        @pytest.mark.parametrize("name", {NAMES!r}, ids={NAMES!r})
        @pytest.mark.sslauth("models/tiny")
        def test_app(name):
            pass
        """
    )
    (altered.path / "inner").mkdir()
    result = altered.runpytest("--html=inner/out/report.html")
    result.assert_outcomes(failed=len(NAMES))
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    written = [path.relative_to(altered.path / "inner") for path in (altered.path / "inner").rglob("*.png")]
    assert written
    assert {path.parent.as_posix() for path in written} == {"out/assets"}


def test_a_hostile_encoder_is_text_in_a_browser(altered: pytest.Pytester) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("Debian's package chromium is not installed")
    hostile = f"models/{MARKUP}<script>alert(2)<!--]]>&lt;"
    altered.path.joinpath("models/tiny").rename(altered.path / hostile)
    altered.makepyfile(
        test_app=f"""
        def test_app(sslauth):
            sslauth.assert_authentic({hostile!r}, card="cards/tiny")
        """
    )
    altered.runpytest("--html=report.html", "--self-contained-html").assert_outcomes(failed=1)
    said = []

    def note(dialog: Any) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("dialog", note)
        page.goto((altered.path / "report.html").as_uri())
        image = page.locator(".media-container__viewport img")
        image.wait_for(state="visible")
        size = image.evaluate("image => [image.complete, image.naturalWidth > 100]")
        text = page.locator(".log").inner_text()
        browser.close()
    assert size == [True, True]
    assert said == []
    assert f"ALTERED: {hostile}" in text
