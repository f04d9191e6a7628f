"""The page in a real browser: no JavaScript, in the dark, on a phone, by keyboard; axe finds nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hf_integration.report import Shown, StripImages, WithoutVerdict, html_page
from tests.report.test_brief import VERDICTS
from tests.report.test_html import IMAGES, MARKUP, png
from tests.report.verdicts import AUTHENTIC

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's package chromium is not installed")

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Verdicts of every kind, one of them with hostile strings, and an encoder that was not checked."""
    shown = [Shown(verdict, IMAGES, ("tests/test_app.py::test_app",)) for verdict in VERDICTS.values()]
    hostile = Shown(next(iter(_hostile())), IMAGES, (MARKUP,))
    file = tmp_path_factory.mktemp("page") / "report.html"
    page = html_page(
        [*shown, hostile, Shown(AUTHENTIC, IMAGES)], [WithoutVerdict(MARKUP, MARKUP, tests=(MARKUP,))]
    )
    file.write_text(page, encoding="utf-8")
    return file


def _hostile() -> Iterator[Any]:
    from dataclasses import replace

    yield replace(VERDICTS["all at once"], encoder=MARKUP, reason=MARKUP, diagnosis=(MARKUP, MARKUP))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, page_file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, as the test's parameters say; whatever it asks for or says on the console is kept."""
    said = getattr(request, "param", {})
    width, height = SIZES[said.get("size", "desktop")]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=said.get("scheme", "light"),
        java_script_enabled=said.get("script", True),
    )
    page = context.new_page()
    page.asked, page.console = [], []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.on("console", lambda message: page.console.append(message.text))
    page.on("dialog", lambda dialog: page.console.append(dialog.message) or dialog.dismiss())
    page.goto(page_file.as_uri())
    yield page
    context.close()


LOOKS = [{"size": size, "scheme": scheme} for size in SIZES for scheme in ("light", "dark")]


@pytest.mark.parametrize("opened", LOOKS, ids=lambda look: "-".join(look.values()), indirect=True)
def test_axe_finds_nothing(opened: Any) -> None:
    for details in opened.locator("details").all():
        details.evaluate("element => element.open = true")
    results = axe.Axe().run(opened)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("opened", LOOKS, ids=lambda look: "-".join(look.values()), indirect=True)
def test_nothing_is_wider_than_the_screen(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.locator("article").count() == len(VERDICTS) + 3


@pytest.mark.parametrize("opened", [{"script": True}, {"script": False}], ids=str, indirect=True)
def test_passed_checks_can_be_hidden(opened: Any) -> None:
    passed = opened.locator("article.authentic")
    assert passed.is_visible()
    opened.get_by_label("Hide what passed").check()
    assert not passed.is_visible()
    assert opened.locator("article.altered").first.is_visible()


@pytest.mark.parametrize("opened", [{"script": False}], ids=str, indirect=True)
def test_details_open_without_javascript(opened: Any) -> None:
    before = opened.locator("details[open]").count()
    opened.locator("article.altered summary").first.click()
    assert opened.locator("details[open]").count() == before + 1


def test_everything_can_be_reached_by_keyboard(opened: Any) -> None:
    reached = set()
    for _ in range(200):
        opened.keyboard.press("Tab")
        reached.add(opened.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    for kind in ('<a class="skip"', "<input", "<a href=", '<div class="scroll"', "<summary"):
        assert any(element.startswith(kind) for element in reached), kind


def test_hostile_strings_do_nothing_and_nothing_is_asked_of_anybody(opened: Any, page_file: Path) -> None:
    assert [url for url in opened.asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert opened.console == []
    assert opened.locator("script").count() == 0
    assert "<script>alert(1)</script>" in opened.locator("#other-1").inner_text()


def test_pictures_are_shown(opened: Any) -> None:
    sizes = opened.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert len(sizes) > 10
    assert set(sizes) == {8}


@pytest.mark.parametrize("size", SIZES)
def test_a_large_picture_keeps_its_pixels_where_there_is_room(
    browser: Any, tmp_path: Path, size: str
) -> None:
    """Scaled down to the size of a padlock, key images would not be made out."""
    large = StripImages(png(0, side=288), (png(1, side=288),) * 3, (png(2, side=288),) * 3)
    (tmp_path / "page.html").write_text(html_page([Shown(AUTHENTIC, large)]), encoding="utf-8")
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    widths = page.locator("img").evaluate_all("images => images.map(image => image.clientWidth)")
    page.close()
    assert {min(width, 200) for width in widths} == {200}
    assert size == "phone" or set(widths) == {288}
