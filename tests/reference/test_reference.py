"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.reference import sources
from tests.reference.messages import says
from tests.reference.padlocks import GAP, LABEL, SIDE, TIMES
from tests.reference.pages import FOLDER, ROOT, pages, renewed, sections_in
from tests.reference.sections import SECTIONS

TROUBLE = FOLDER / "troubleshooting.md"


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_what_is_generated_is_current(page: Path) -> None:
    text = page.read_text("utf-8")
    assert renewed(text, SECTIONS) == text, "bring it up to date with `python -m tests.reference`"


def test_every_section_is_on_one_page() -> None:
    on_pages = [name for page in pages() for name in sections_in(page.read_text("utf-8"))]
    assert sorted(on_pages) == sorted(SECTIONS)


def test_the_picture_shows_two_equal_padlocks_and_another_thing() -> None:
    side = SIDE * TIMES
    with Image.open(ROOT / "docs" / "images" / "padlocks.png") as whole:
        lefts = [GAP + place * (side + GAP) for place in range(3)]
        panels = [whole.convert("RGB").crop((x, LABEL, x + side, LABEL + side)).tobytes() for x in lefts]
    assert panels[0] == panels[1] != panels[2]


def quoted(page: Path) -> list[str]:
    """The messages that a page is about."""
    return re.findall(r"^### `(.+)`$", page.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("message", quoted(TROUBLE))
def test_a_message_that_is_explained_is_one_that_the_code_gives(message: str) -> None:
    assert says(message), "no text in the code reads so: correct the message, or take its entry out"


def test_a_message_that_nothing_gives_is_noticed() -> None:
    assert len(quoted(TROUBLE)) >= 20
    assert not says("the moon is made of …")


def test_keys_of_an_entry_are_those_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "sslauth.toml"
    file.write_text('version = 1\n[encoders.a]\nrepo = "org/a"\nfoo = 1\n')
    with pytest.raises(sources.UsageError) as raised:
        sources.read_pins(file)
    known = re.search(r"known are ([\w, ]*\w)", str(raised.value))
    assert known
    assert re.findall(r"^\| `(\w+)`", SECTIONS["keys of an entry"](), re.MULTILINE) == known[1].split(", ")


def test_the_help_of_verify_names_every_field_of_a_verdict() -> None:
    said = sources.command().commands["verify"].epilog.partition("JSON:")[2]
    fields = re.findall(r"^\| `(\w+)`", SECTIONS["verdict"]() + "\n" + SECTIONS["parts of a verdict"](), re.M)
    assert [name for name in fields if f'"{name}"' not in said] == []
