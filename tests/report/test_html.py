"""The page: everything of a verdict is on it, and nothing of it does anything."""

import io
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from hf_integration.report import HtmlReporter, Shown, StripImages, WithoutVerdict, html_page
from hf_integration.verdict import Verdict
from tests.report.test_brief import HOSTILE, VERDICTS, poisoned
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE, WAIVED


def png(shade: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), shade).save(buffer, format="PNG")
    return buffer.getvalue()


IMAGES = StripImages(png(0), tuple(png(shade) for shade in (1, 2, 3)), tuple(png(200) for _ in range(3)))
VOID = {"meta", "input", "img", "br"}


class Page(HTMLParser):
    """Elements, attributes and text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("name", [*VERDICTS, "authentic"])
def test_everything_of_a_verdict_is_on_the_page(name: str) -> None:
    verdict = VERDICTS.get(name, AUTHENTIC)
    page = Page(HtmlReporter().render(verdict))
    assert not page.open
    said = [
        verdict.reason,
        *verdict.diagnosis,
        *verdict.tensors.changed,
        *verdict.tensors.missing,
        *verdict.tensors.unexpected,
        *verdict.tensors.outside,
        *verdict.files.changed,
        *verdict.files.derived,
        *verdict.files.not_covered,
        *verdict.files.notes,
        *verdict.process,
        *(strip.name for strip in verdict.strips),
        *(claim.says for claim in verdict.claims),
    ]
    if found := verdict.deployment or verdict.conversion:
        said += [near.recipe for near in found.nearest]
    if verdict.conversion:
        said += [verdict.conversion.file.said, *verdict.conversion.file.details]
    for text in said:
        assert text in page.text
    assert f"SSL-Auth: {int(verdict.accepted)} of 1 encoders passed" in page.text
    assert verdict.status.upper() in page.text


def test_the_way_to_make_the_check_again_is_a_command() -> None:
    text = Page(HtmlReporter().render(ALTERED)).text
    assert (
        f"sslauth verify org/encoder --revision {ALTERED.revision} --card cards/encoder --precision" in text
    )
    odd = replace(ALTERED, encoder="my models/it's", revision=None)
    command = next(
        line for line in Page(HtmlReporter().render(odd)).text.split("\n") if "sslauth verify" in line
    )
    assert shlex.split(command)[:3] == ["sslauth", "verify", "my models/it's"]


def test_what_is_no_pass_comes_first_and_is_counted() -> None:
    shown = [Shown(AUTHENTIC), Shown(WAIVED), Shown(INCONCLUSIVE), Shown(ALTERED, tests=("a.py::test_a",))]
    page = Page(
        html_page(
            shown,
            [
                WithoutVerdict("gone", "no such folder", tests=("b.py::test_b",)),
                WithoutVerdict("index", "equal", "same space", True),
            ],
            created="today",
        )
    )
    kinds = [str(attributes["class"]) for attributes in page.of("article")]
    assert kinds == [
        f"check {kind}"
        for kind in ("inconclusive", "authentic", "altered", "inconclusive", "waived", "authentic")
    ]
    for text in (
        "3 of 6 encoders passed",
        "NOT CHECKED, which is not a pass",
        "SAME SPACE",
        "no such folder",
        "a.py::test_a",
        "b.py::test_b",
        "today",
    ):
        assert text in page.text
    targets = {str(attributes["href"]) for attributes in page.of("a")}
    assert {f"#{attributes['id']}" for attributes in page.of("article")} < targets


def test_pictures_are_within_the_page_and_say_what_they_show() -> None:
    assert StripImages.from_dict(IMAGES.to_dict()) == IMAGES
    page = Page(HtmlReporter(images=IMAGES).render(ALTERED))
    images = page.of("img")
    assert len(images) == 1 + 2 * 3
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in images)
    assert [str(image["alt"]) for image in images][:3] == [
        "The expected watermark",
        "Strip processor: reconstructed, intact",
        "Strip processor: difference from the expected watermark",
    ]
    assert sum("broken" in str(image["alt"]) for image in images) == 2
    assert not Page(HtmlReporter().render(ALTERED)).of("img")


MARKUP = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}'&lt;" + HOSTILE


@pytest.mark.parametrize("name", VERDICTS)
def test_strings_of_unknown_origin_are_text(name: str) -> None:
    for verdict in poisoned(VERDICTS[name], MARKUP):
        check_inert(
            html_page(
                [Shown(verdict, IMAGES, (MARKUP,))],
                [WithoutVerdict(MARKUP, MARKUP, MARKUP, False, (MARKUP,))],
            )
        )


def check_inert(text: str) -> None:
    page = Page(text)
    assert not page.open
    assert not page.of("script")
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in page.of("img"))
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "{{ 7 * 7 }}" in page.text
    assert all(line.isprintable() for line in text.replace("\t", " ").split("\n"))


def test_nothing_is_asked_of_anybody() -> None:
    page = Page(HtmlReporter(images=IMAGES).render(ALTERED))
    policies = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not page.of("link")
    assert not page.of("script")


def test_a_verdict_of_any_size_makes_a_page() -> None:
    many = tuple(f"layer.{index}.weight" for index in range(5000))
    verdict: Verdict = replace(ALTERED, tensors=replace(ALTERED.tensors, changed=many, checked=5000))
    assert len(HtmlReporter().render(verdict)) < 1_000_000
