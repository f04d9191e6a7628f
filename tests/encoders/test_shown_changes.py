"""A difference is shown where it is, and not cut off before it."""

from typing import Any

import pytest

from hf_integration.encoders.identity.behaviour import Behaviour, shown_change

CLEANING = {"clean_text": True, "handle_chinese_chars": True, "lowercase": True, "strip_accents": None}
STEPS = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "content": "a"}]}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (CLEANING, {**CLEANING, "lowercase": False}, "n.lowercase: true -> false"),
        (1, 2, "n: 1 -> 2"),
        ([1, 2], [1, 3], "n.1: 2 -> 3"),
        ({"a": 1, "b": 2}, {"a": 2, "b": 3}, 'n: {"a":1,"b":2} -> {"a":2,"b":3}'),
        ({"a": 1}, {"b": 1}, 'n: {"a":1} -> {"b":1}'),
        ([1], [1, 2], "n: [1] -> [1,2]"),
        ({"a": 1}, None, 'n: {"a":1} -> null'),
        (
            STEPS,
            {**STEPS, "normalizers": [STEPS["normalizers"][0], {"type": "Replace", "content": "b"}]},
            None,
        ),
        (object(), 3, "n: (absent) -> 3"),
        (1, True, "n: 1 -> true"),
    ],
)
def test_the_one_part_that_differs_is_named(old: Any, new: Any, line: str | None) -> None:
    assert shown_change("n", old, new) == (line or 'n.normalizers.1.content: "a" -> "b"')


def test_it_is_what_a_report_says() -> None:
    recorded = Behaviour({"tokenizer.json": {"normalizer": CLEANING}})
    current = Behaviour({"tokenizer.json": {"normalizer": {**CLEANING, "lowercase": False}}})
    lines = tuple(recorded.differences_to(current).values())
    assert lines == ("tokenizer.json: normalizer.lowercase: true -> false",)
