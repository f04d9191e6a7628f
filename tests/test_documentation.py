"""What the documents must never be published with."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOR_DEVELOPERS = ("ARCHITECTURE.md", "CONTRIBUTING.md")
DOCUMENTS = (
    *("README.md", "HUB.md", "FIGURES.md", "THREAT_MODEL.md", "SECURITY.md", "CHANGELOG.md"),
    *FOR_DEVELOPERS,
)


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


@pytest.mark.parametrize("name", FOR_DEVELOPERS)
def test_files_and_folders_that_developers_are_sent_to_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    paths = re.findall(r"`((?:hf_integration|pytest_sslauth|tests|\.github)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = re.findall(r"python -m (tests\.[\w.]+)", text)
    files = [ROOT / module.replace(".", "/") for module in modules]
    assert all(file.with_suffix(".py").is_file() or (file / "__main__.py").is_file() for file in files)


@pytest.mark.parametrize("name", FOR_DEVELOPERS)
def test_environments_that_developers_are_told_to_run_exist(name: str) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    named = re.findall(r"tox (?:run|devenv) -e ([\w,]+)", (ROOT / name).read_text("utf-8"))
    environments = {one for some in named for one in some.split(",")}
    assert {one for one in environments if not re.fullmatch(r"py3\d+", one)} <= {
        section.removeprefix("testenv:") for section in tox.sections()
    }
