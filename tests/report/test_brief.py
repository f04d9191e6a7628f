"""The brief report: what a failing test shows first."""

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from hf_integration.report.brief import MOST_LINES, WIDEST, brief, diagram
from hf_integration.verdict import (
    Answer,
    Claim,
    Conversion,
    Deployment,
    FileEvidence,
    Near,
    StripResult,
    TensorEvidence,
    Verdict,
)
from tests.report.verdicts import ALTERED, INCONCLUSIVE, WAIVED

NOTES = (("source", "models/encoder"), ("more", "run pytest with -v"))
NEAR = (Near("tei: tanh GELU", 2e-6, 1e-6), Near("torch: as the encoder itself", 2e-3, 1e-3))

FULL = replace(
    ALTERED,
    tensors=TensorEvidence(20, ("a", "b", "c", "d"), ("e",), ("f",), outside=("g",)),
    files=FileEvidence(3, ("config.json: x: 1 -> 2", "y"), ("code.py",), ("derived",), ("note",)),
    process=("a hook", "another"),
    claims=(Claim("digest", True, "fine"), Claim("commit", False, "another one")),
    diagnosis=("first", "second", "third", "what to do"),
    coverage={"scalars": {"covered": 0.97, "of": 100}, "rows": ["a", "b", "c", "d", "e", "f", "g", "h"]},
    floor={"noise": 1e-8},
    environment={"torch": "2.13.0", "device": "cpu"},
)
DEPLOYED = replace(
    INCONCLUSIVE,
    deployment=Deployment("http://host/v1", "openai", "torch", None, NEAR, claims={"name": "x"}),
    diagnosis=(),
)
CONVERTED = replace(
    ALTERED,
    tensors=TensorEvidence(20),
    files=FileEvidence(2),
    conversion=Conversion(
        path="model.onnx",
        runtime="onnx",
        file=Answer("differs", "2 arrays differ", ("more",)),
        behaviour=Answer("fits", "it computes the same"),
        inputs=Answer("open", "nobody was asked"),
        expected="torch",
        found=None,
        nearest=NEAR,
    ),
)
VERDICTS = {
    "altered": ALTERED,
    "inconclusive": INCONCLUSIVE,
    "waived": WAIVED,
    "all at once": FULL,
    "deployed": DEPLOYED,
    "converted": CONVERTED,
}


@pytest.mark.parametrize("name", VERDICTS)
def test_it_says_what_why_and_how_in_at_most_twelve_lines(name: str) -> None:
    verdict = VERDICTS[name]
    lines = brief(verdict, NOTES).split("\n")
    assert 4 <= len(lines) <= MOST_LINES == 12
    assert verdict.status.upper() in lines[0]
    assert lines[1] == verdict.reason
    assert lines[-2].split() == ["source", "models/encoder"]
    if verdict.diagnosis:
        assert verdict.diagnosis[-1] in lines[-3]


def test_what_changed_where_and_how_far_outside_comes_in_this_order() -> None:
    names = [line.split("  ")[1] for line in brief(FULL, NOTES).split("\n")[2:]]
    expected = ["tensors", "settings", "process", "claim", "outside", "strips", "points to", "do next"]
    assert names == [*expected, "source", "more"]
    names = [line.split("  ")[1] for line in brief(ALTERED, NOTES).split("\n")[2:]]
    expected = ["tensors", "settings", "strips", "worst", "checked", "points to", "do next", "source", "more"]
    assert names == expected


def test_names_are_counted_and_the_first_are_given() -> None:
    text = brief(ALTERED)
    assert "  tensors    12 of 20 differ: layer.0, layer.1, layer.2 and 9 more\n" in text
    assert "  settings   1 differs: config.json: hidden_act: gelu -> relu\n" in text
    assert "  strips     =XX  2 of 3 broken, the first is 'layer 1'\n" in text
    assert "1e+18 or more times what is tolerated in strip 'embedding'; margin 0.29, 1 is the edge\n" in text
    assert (
        "  checked    revision c0ffeec0ffee, card sha256:abababababababab (local), float64, 1.2 s\n" in text
    )


def test_what_a_server_does_is_named() -> None:
    lines = brief(DEPLOYED).split("\n")
    assert lines[0] == "INCONCLUSIVE - this is not a pass: http://host/v1 (org/encoder)"
    assert "  nearest   tei: tanh GELU: 1.0e-06 away in a typical text" in lines


def test_the_three_answers_about_a_converted_file_are_named() -> None:
    text = brief(CONVERTED)
    assert text.startswith("ALTERED: model.onnx\n")
    for line in (
        "file       DIFFERS: 2 arrays differ",
        "behaviour  fits: it computes",
        "inputs     OPEN: nobody",
    ):
        assert f"  {line}" in text


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ([], "====="),
        ([0], "X===="),
        ([4], "====X"),
        ([1, 2], "=XX=="),
        (range(5), "XXXXX"),
    ],
)
def test_each_strip_is_a_character(broken: Any, expected: str) -> None:
    strips = [StripResult(str(place), 0.1, 0.4, place not in broken, 0.1) for place in range(5)]
    assert diagram(strips) == expected


@pytest.mark.parametrize("count", [1, WIDEST, WIDEST + 1, 2 * WIDEST, 500])
def test_one_broken_strip_shows_among_any_number(count: int) -> None:
    for place in {0, count // 2, count - 1}:
        strips = [StripResult(str(other), 0.1, 0.4, other != place, 0.1) for other in range(count)]
        shown = diagram(strips)
        assert len(shown) <= WIDEST
        assert shown.count("X") == 1
        assert shown.index("X") == place // math.ceil(count / WIDEST)


HOSTILE = "\x1b[31m\u202eevil\r\n\x9b" + "x" * 5000


def poisoned(value: Any, poison: str = HOSTILE) -> Iterator[Any]:
    """The value with each of its strings, however deep, replaced by a hostile one."""
    if isinstance(value, str):
        yield poison
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from ((*value[:place], other, *value[place + 1 :]) for other in poisoned(part, poison))
    elif isinstance(value, dict):
        for name, part in value.items():
            yield {**value, poison: part}
            yield from ({**value, name: other} for other in poisoned(part, poison))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if (type(value), field.name) in FIXED:
                continue
            for other in poisoned(getattr(value, field.name), poison):
                yield replace(value, **{field.name: other})


FIXED = {(Verdict, "status"), (Verdict, "trust"), (Verdict, "precision"), (Answer, "finding")}
"""Read from JSON as one of a few words, or not at all."""


@pytest.mark.parametrize("name", VERDICTS)
def test_strings_of_unknown_origin_are_harmless_wherever_they_are(name: str) -> None:
    texts = [brief(other, NOTES) for other in poisoned(VERDICTS[name])]
    assert len(texts) >= 10
    for text in (*texts, brief(ALTERED, [("source", HOSTILE)])):
        lines = text.split("\n")
        assert len(lines) <= MOST_LINES
        assert all(line.isprintable() and len(line) < 2500 for line in lines)
    assert sum("evil" in text for text in texts) > 5
