"""What the documents must never be published with."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "HUB.md", "FIGURES.md", "THREAT_MODEL.md", "SECURITY.md", "CHANGELOG.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_placeholder_is_left(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert not re.findall(r"\b(TODO|FIXME|XXX|TBD|FAULTS)\b|^TABLE$|@@", text, re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_other_documents_and_headings_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        file, _, heading = target.partition("#")
        document = ROOT / (file or name)
        assert document.is_file(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in headings}
            assert heading in slugs, target
