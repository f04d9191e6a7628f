"""Encoders that a test gives in memory are told apart in everything that a run writes, by one name each."""

import json
import re
import shutil
import xml.etree.ElementTree as ET  # our own output
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

NASTY = "x\x1b[31m\u202e</td>]]>%0A"
SHOWN = r"x\x1b[31m\u202e</td>]]>%0A"

TESTS = f"""
import pytest
import torch
from transformers import AutoTokenizer, BertModel

def altered(model):
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[0, 0] += 0.5
    return model

def calling_itself(name):
    model = BertModel.from_pretrained("models/tiny")
    model.config._name_or_path = name
    return model

MODELS = [
    lambda: BertModel.from_pretrained("models/tiny"),
    lambda: BertModel.from_pretrained("models/copy"),
    lambda: altered(BertModel.from_pretrained("models/tiny")),
    lambda: calling_itself(""),
    lambda: altered(calling_itself("")),
    lambda: calling_itself({NASTY!r}),
]

@pytest.mark.parametrize("number", range(len(MODELS)))
def test_it(sslauth, number):
    processor = AutoTokenizer.from_pretrained("models/tiny")
    sslauth.assert_authentic(MODELS[number](), processor=processor, card="cards/tiny")
"""
NAMED = ("models/tiny, ", "models/copy, ", "models/tiny, ", "", "", f"{SHOWN}, ")
"""What the names of the six say before the state that each of them holds."""


def _of_terminal(root: Path, text: str) -> Iterator[str]:
    yield from re.findall(r"^(?:ALTERED|authentic) +(.*?)  \(", text, re.M)


def _of_json(root: Path, text: str) -> Iterator[str]:
    for file in (root / "reports").glob("*.json"):
        yield json.loads(file.read_text())["encoder"]


def _of_junit(root: Path, text: str) -> Iterator[str]:
    for one in ET.parse(root / "out.xml").iter("property"):  # noqa: S314
        if one.get("name") == "sslauth_check":
            yield json.loads(one.get("value") or "")["encoder"]


def _of_html(root: Path, text: str) -> Iterator[str]:
    page = (root / "page.html").read_text()
    yield from (unescape(name) for name in re.findall(r"BertModel in memory[^\n]*?[0-9a-f]{8}\)", page))


def _of_sarif(root: Path, text: str) -> Iterator[str]:
    found = (root / "out.sarif").read_text()
    yield from (name for name in _strings(json.loads(found)) if name.endswith(")"))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from re.findall(r"BertModel in memory \(.*?[0-9a-f]{8}\)", value)
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


READERS: dict[str, Callable[[Path, str], Iterator[str]]] = {
    "terminal": _of_terminal,
    "json": _of_json,
    "junit": _of_junit,
    "html": _of_html,
    "sarif": _of_sarif,
}


def test_every_report_has_the_same_six_names(project: pytest.Pytester) -> None:
    shutil.copytree(project.path / "models/tiny", project.path / "models/copy")
    project.makepyfile(test_app=TESTS)
    files = ("--sslauth-report-dir=reports", "--sslauth-html=page.html", "--sslauth-sarif=out.sarif")
    result = project.runpytest("-v", "--junitxml=out.xml", *files)
    result.assert_outcomes(passed=4, failed=2)
    text = result.stdout.str()
    names = {how: set(read(project.path, text)) for how, read in READERS.items()}
    every = names.pop("junit")
    patterns = [rf"BertModel in memory \({re.escape(said)}[0-9a-f]{{8}}\)" for said in NAMED]
    assert len(every) == 6
    for pattern in set(patterns):
        assert len([name for name in every if re.fullmatch(pattern, name)]) == patterns.count(pattern)
    assert names == dict.fromkeys(names, every)
    for said in (text, *(file.read_text() for file in project.path.rglob("reports/*.json"))):
        assert "\x1b" not in said
        assert "\u202e" not in said
    states = {re.findall(r"[0-9a-f]{8}\)$", name)[0] for name in every}
    assert len(states) == 2  # what is loaded from wherever holds the same, and what was altered alike too


def test_what_a_name_is_made_of() -> None:
    from types import SimpleNamespace

    from hf_integration.encoders.wrapping import LONGEST_SOURCE, name_in_memory

    class Kind:
        config: object = None

    assert name_in_memory(Kind(), Kind()) == "Kind in memory"
    for said in (None, "", 7, b"x", ["x"]):
        module = SimpleNamespace(config=SimpleNamespace(_name_or_path=said))
        assert name_in_memory(Kind(), module) == "Kind in memory"
        assert name_in_memory(Kind(), module, state=f"sha256:{'ab' * 32}") == "Kind in memory (abababab)"
    module = SimpleNamespace(config=SimpleNamespace(_name_or_path=NASTY))
    assert name_in_memory(Kind(), module) == f"Kind in memory ({SHOWN})"
    module = SimpleNamespace(config=SimpleNamespace(_name_or_path="/home/jane/private/encoder"))
    assert name_in_memory(Kind(), module) == "Kind in memory (encoder)"
    module = SimpleNamespace(config=SimpleNamespace(_name_or_path="x" * 10_000))
    assert len(name_in_memory(Kind(), module)) < LONGEST_SOURCE + 30
