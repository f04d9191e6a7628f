"""What a card says about its coverage."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from hf_integration.card.coverage import coverage_record, read_coverage
from hf_integration.report.coverage_summary import render_coverage

COVERAGE: dict[str, Any] = {
    "key samples": 64,
    "measured": True,
    "edit": 0.1,
    "precisions": {
        "float64": {
            "scalars": 1000,
            "met": 800,
            "covered": 799,
            "tensors": 9,
            "tensors covered": 9,
            "partly covered": {"a.weight": [3, 4], "b.weight": [50, 51], "c": [5, 6], "d": [7, 8]},
            "partly covered besides": 0,
        }
    },
    "rows without key sample": {"words.weight": [20, 30522]},
    "tokens that no text gives": 1200,
    "cannot matter": ["key.bias"],
    "layer inputs": {
        "first": {"width": 384, "vectors": 900, "rank": 384, "condition": 10.0},
        "second": {"width": 1536, "vectors": 900, "rank": 900, "condition": None},
        "wide": {"width": 9999, "vectors": 900, "rank": None, "condition": None},
        "unknown": {"width": 9999, "vectors": 10000, "rank": None, "condition": None},
        "unseen": {"width": 64, "vectors": 0, "rank": None, "condition": None},
    },
}
TOTALS = COVERAGE["precisions"]["float64"]
UNMEASURED = {"key samples": 64, "measured": False}


def test_shares_are_of_all_and_of_what_key_samples_meet() -> None:
    lines = [line.split() for line in render_coverage(read_coverage(COVERAGE))]
    assert ["799", "float64", "79.90", "%", "99.88", "%"] in lines


def test_what_is_not_covered_is_named() -> None:
    text = "\n".join(render_coverage(read_coverage(COVERAGE)))
    assert "a.weight 75.00 %, b.weight 98.04 %, c 83.33 % and 1 more" in text
    assert "20 of 30,522 rows of words.weight" in text
    assert "no raw text gives 1,200 tokens" in text
    assert "cannot influence the embedding: key.bias" in text
    assert "activations span 1 of 5 different layer inputs whole, with a condition of 10 at worst" in text
    assert "rank not measured at 2 of 5 different layer inputs" in text
    assert "wide: 900 of 9,999 dimensions" in text  # fewer vectors bound a rank that was not computed


def test_a_share_just_below_all_is_never_rounded_up_to_all() -> None:
    totals = {**TOTALS, "scalars": 10**9, "met": 10**9, "covered": 10**9 - 1}
    text = "\n".join(render_coverage(read_coverage({**COVERAGE, "precisions": {"float64": totals}})))
    assert "99.99 %" in text
    assert "100.00 %" not in text


@pytest.mark.parametrize("said", [{}, {**UNMEASURED, "reason": "no room"}, COVERAGE])
def test_what_is_read_is_said_again_to_the_letter(said: dict[str, Any]) -> None:
    assert json.dumps(coverage_record(read_coverage(said))) == json.dumps(said)


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ({}, []),
        ({**UNMEASURED, "reason": "no room"}, ["  coverage  not measured: no room"]),
    ],
)
def test_a_card_that_was_not_measured_says_so(coverage: dict[str, Any], expected: list[str]) -> None:
    assert render_coverage(read_coverage(coverage)) == expected


HOSTILE: tuple[Any, ...] = (
    None,
    "\x1b[2J",
    10**400,
    -1,
    True,
    [],
    [1, 2],
    {},
    {"\x07": "\x07"},
    ["\x07", "\x07"],
)


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "field", ["edit", "precisions", "rows without key sample", "cannot matter", "layer inputs"]
)
def test_values_of_any_kind_are_refused_or_shown_harmlessly(field: str, value: Any) -> None:
    wrapped = [value, {"name": value}, {"name": {"covered": value, "scalars": 9, "rank": value, "width": 5}}]
    for content in wrapped:
        try:
            coverage = read_coverage({**COVERAGE, field: content})
        except ValidationError:
            continue
        assert all(line.isprintable() for line in render_coverage(coverage))


@pytest.mark.parametrize(
    ("rank", "said"), [(768, "float64 does not see it either"), (769, "by its rounding")]
)
def test_half_of_a_layer_s_input_is_where_rounding_no_longer_betrays_an_edit(rank: int, said: str) -> None:
    inputs = {"second": {"width": 1536, "vectors": 900, "rank": rank, "condition": None}}
    assert said in "\n".join(render_coverage(read_coverage({**COVERAGE, "layer inputs": inputs})))
