"""The examples in the documents could be run: commands and options exist, and every block parses."""

import re
import shlex
import tomllib
from collections.abc import Iterator

import pytest
import yaml  # type: ignore[import-untyped]

from tests.reference.pages import ROOT
from tests.reference.sections import SECTIONS
from tests.reference.sources import command

DOCUMENTS = ("README.md", *(p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "docs").rglob("*.md"))))

COMMANDS = command().commands
PYTEST = frozenset(re.findall(r"--sslauth-[\w-]+", SECTIONS["pytest options"]()))


def blocks(name: str, *languages: str) -> Iterator[str]:
    text = (ROOT / name).read_text("utf-8")
    for language, block in re.findall(r"^ *```(\w+)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block


def command_lines(name: str) -> Iterator[list[str]]:
    """Every ``sslauth`` command line in blocks, in pieces of code within sentences, and in recipes."""
    lines = [line for block in blocks(name, "console", "yaml", "dockerfile") for line in block.split("\n")]
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text("utf-8"), flags=re.DOTALL)
    lines += re.findall(r"`(sslauth [^`]+)`", text)
    for line in lines:
        if found := re.search(r"\bsslauth ([a-z]+\b.*)", line):
            words = shlex.split(re.split(r" && | *[#|…]", found[1])[0])
            if words:
                yield words


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_their_options_exist(name: str) -> None:
    for words in command_lines(name):
        assert words[0] in COMMANDS, words
        known = {option for parameter in COMMANDS[words[0]].params for option in parameter.opts}
        assert [word for word in words if word.startswith("-") and word.split("=")[0] not in known] == [], (
            words
        )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_options_of_pytest_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert set(re.findall(r"--sslauth-[\w-]+", text)) <= PYTEST


@pytest.mark.parametrize("name", DOCUMENTS)
def test_blocks_parse(name: str) -> None:
    for block in blocks(name, "python"):
        if "def " in block or "import " in block:
            compile(block, name, "exec")
    for block in blocks(name, "toml"):
        tomllib.loads(block)
    for block in blocks(name, "yaml"):
        assert isinstance(yaml.safe_load(block), dict)
