"""What a card says about its coverage."""

from typing import Any

import pytest

from hf_integration.report.coverage_summary import render_coverage

COVERAGE: dict[str, Any] = {
    "measured": True,
    "edit": 0.1,
    "precisions": {
        "float64": {
            "scalars": 1000,
            "met": 800,
            "covered": 799,
            "partly covered": {"a.weight": [3, 4], "b.weight": [50, 51], "c": [5, 6], "d": [7, 8]},
        }
    },
    "rows without key sample": {"words.weight": [20, 30522]},
    "cannot matter": ["key.bias"],
    "layer inputs": {
        "first": {"width": 384, "vectors": 900, "rank": 384, "condition": 10.0},
        "second": {"width": 1536, "vectors": 900, "rank": 900, "condition": None},
        "wide": {"width": 9999, "vectors": 900, "rank": None, "condition": None},
        "unknown": {"width": 9999, "vectors": 10000, "rank": None, "condition": None},
        "unseen": {"width": 64, "vectors": 0, "rank": None, "condition": None},
    },
}


def test_shares_are_of_all_and_of_what_key_samples_meet() -> None:
    lines = [line.split() for line in render_coverage(COVERAGE)]
    assert ["799", "float64", "79.90", "%", "99.88", "%"] in lines


def test_what_is_not_covered_is_named() -> None:
    text = "\n".join(render_coverage(COVERAGE))
    assert "a.weight 75.00 %, b.weight 98.04 %, c 83.33 % and 1 more" in text
    assert "20 of 30,522 rows of words.weight" in text
    assert "cannot influence the embedding: key.bias" in text
    assert "activations span 1 of 5 different layer inputs whole, with a condition of 10 at worst" in text
    assert "rank not measured at 2 of 5 different layer inputs" in text
    assert "wide: 900 of 9,999 dimensions" in text  # fewer vectors bound a rank that was not computed


def test_a_share_just_below_all_is_never_rounded_up_to_all() -> None:
    totals = {"scalars": 10**9, "met": 10**9, "covered": 10**9 - 1}
    text = "\n".join(render_coverage({"measured": True, "edit": 0.1, "precisions": {"float64": totals}}))
    assert "99.99 %" in text
    assert "100.00 %" not in text


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ({}, []),
        ({"measured": False}, ["  coverage  not measured"]),
        ({"measured": "yes"}, ["  coverage  not measured"]),
        ({"measured": False, "reason": "a\x1b[2Jb"}, None),
    ],
)
def test_a_card_that_was_not_measured_says_so(coverage: dict[str, Any], expected: list[str] | None) -> None:
    lines = render_coverage(coverage)
    assert expected is None or lines == expected
    assert all(line.isprintable() for line in lines)
    assert expected is not None or "not measured" in lines[0]


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
def test_values_of_any_kind_are_shown_harmlessly(field: str, value: Any) -> None:
    wrapped = [value, {"name": value}, {"name": {"covered": value, "scalars": 9, "rank": value, "width": 5}}]
    for content in wrapped:
        lines = render_coverage({**COVERAGE, field: content})
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("rank", "said"), [(768, "float64 does not see it either"), (769, "by its rounding")]
)
def test_half_of_a_layer_s_input_is_where_rounding_no_longer_betrays_an_edit(rank: int, said: str) -> None:
    inputs = {"second": {"width": 1536, "vectors": 900, "rank": rank, "condition": None}}
    assert said in "\n".join(render_coverage({**COVERAGE, "layer inputs": inputs}))
