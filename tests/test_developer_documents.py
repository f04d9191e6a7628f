"""What the documents for developers send them to exists."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.test_documentation import (
    test_links_to_other_documents_and_headings_lead_somewhere as check_links,
)
from tests.test_documentation import test_no_placeholder_is_left as check_placeholders

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_they_keep_the_rules_of_all_documents(name: str) -> None:
    check_placeholders(name)
    check_links(name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_and_folders_that_developers_are_sent_to_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    paths = re.findall(r"`((?:hf_integration|pytest_sslauth|tests|\.github)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = re.findall(r"python -m (tests\.[\w.]+)", text)
    files = [ROOT / module.replace(".", "/") for module in modules]
    assert all(file.with_suffix(".py").is_file() or (file / "__main__.py").is_file() for file in files)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_environments_that_developers_are_told_to_run_exist(name: str) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    named = re.findall(r"tox (?:run|devenv) -e ([\w,]+)", (ROOT / name).read_text("utf-8"))
    environments = {one for some in named for one in some.split(",")}
    assert {one for one in environments if not re.fullmatch(r"py3\d+", one)} <= {
        section.removeprefix("testenv:") for section in tox.sections()
    }
