"""What the documents must never be published with."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AT_THE_TOP = ("README.md", "SECURITY.md", "CHANGELOG.md")
PAGES = tuple(page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").rglob("*.md")))
DOCUMENTS = (*AT_THE_TOP, *PAGES)


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def prose(name: str) -> str:
    """A document without its blocks and pieces of code."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", read(name), flags=re.DOTALL)


def slugs(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_placeholder_is_left(name: str) -> None:
    assert not re.findall(r"\b(TODO|FIXME|XXX|TBD|FAULTS)\b|^TABLE$|@@", read(name), re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_other_documents_and_headings_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", read(name)):
        file, _, heading = target.partition("#")
        document = (ROOT / name).parent / file if file else ROOT / name
        assert document.is_file(), target
        if heading:
            assert heading in slugs(document.read_text("utf-8")), target


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_site_links_to_pages_of_the_site_only(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", read(name)):
        assert (ROOT / "docs") in ((ROOT / name).parent / target).resolve().parents, target


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = re.findall(r": (\S+\.md)$", read("mkdocs.yml"), re.MULTILINE)
    assert sorted(f"docs/{page}" for page in listed) == sorted(PAGES)


def test_every_picture_is_shown_and_is_small() -> None:
    shown = {
        Path(target).name for name in DOCUMENTS for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", read(name))
    }
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert {picture.name for picture in pictures} == shown
    assert all(picture.stat().st_size < 100_000 for picture in pictures)


def test_the_readme_is_one_screen() -> None:
    assert len(read("README.md").split()) <= 1000


def words_with_an_entry() -> Iterator[str]:
    return iter(re.findall(r"^### (.+)$", read("docs/reference/glossary.md"), re.MULTILINE))


def test_the_glossary_is_in_order_and_every_word_has_one_sentence() -> None:
    words = list(words_with_an_entry())
    assert words == sorted(words)
    for entry in read("docs/reference/glossary.md").split("\n### ")[1:]:
        sentence = " ".join(entry.split("\n")[1:]).strip()
        assert sentence.endswith("."), entry
        assert not re.search(r"\. [A-Z]", sentence), entry


STIFF = r"\bat hand\b|\bthat (you|we) \b|\bwhoever\b.* as well as|\bstands in\b|\blies in\b"
"""What a native reader stumbled over."""


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_no_phrase_is_there_that_readers_stumbled_over(name: str) -> None:
    assert not re.findall(STIFF, prose(name))
