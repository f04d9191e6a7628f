"""Ratios, goals, and the JSON and Markdown that they are written to."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.floors.report import markdown, totals
from tests.benchmarks.floors.result import (
    DECODER,
    DETECTORS,
    DISTANCE,
    OURS,
    STRIPS,
    Alarms,
    Result,
    Row,
    load_all,
    rows_so_far,
)
from tests.benchmarks.floors.search import Floor, Judged


def row(family: str, ours: Floor, rival: Floor) -> Row:
    floors = {name: ours if name == OURS else rival for name in DETECTORS}
    return Row(
        family,
        "sigma",
        floors,
        [
            Judged(m, 0, dict.fromkeys(DETECTORS, 0.0) | {STRIPS: 10 * m, DISTANCE: m})
            for m in (0.1, 1.0, 2.0)
        ],
    )


@pytest.fixture
def result() -> Result:
    rows = [row("noise", Floor(1e-6), Floor(1e-3)), row("bias", Floor(1.0, ">"), Floor(1.0))]
    alarms = [Alarms(name, 20, ["one thread"] if name == DISTANCE else [], 0.4, "x") for name in DETECTORS]
    return Result("tiny", "float32", 8, {"a fact": 1.0}, rows, alarms)


def test_ratios_are_geometric_and_a_bound_counts_as_itself(result: Result) -> None:
    assert result.ratio(DISTANCE) == pytest.approx(1000**0.5)
    assert result.families_above(DISTANCE) == ["bias"]


def test_sensitivity_needs_no_grid(result: Result) -> None:
    assert result.sensitivity(DISTANCE) == pytest.approx(10)
    assert result.rows[0].sensitivity(DECODER) is None


def test_goals_that_are_not_reached_are_named(result: Result) -> None:
    short = result.shortfalls()
    assert any(line.startswith(f"float32: geometric mean of {DECODER}") for line in short)
    assert "float32: floor above that of max distance: bias" in short
    assert not any(line.startswith(f"float32: geometric mean of {DISTANCE}") for line in short)


def test_results_are_written_and_read_back(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path)
    assert load_all(tmp_path) == [result]


def test_what_was_not_run_is_named_and_a_later_run_goes_on(result: Result, tmp_path: Path) -> None:
    unfinished = replace(result, card="sha256:1", left=("scale",))
    unfinished.save(tmp_path)
    assert load_all(tmp_path) == [unfinished]
    assert rows_so_far(tmp_path, "tiny", "float32", "sha256:1") == result.rows
    assert rows_so_far(tmp_path, "tiny", "float32", "sha256:2") == []
    assert "**not run yet**: scale" in markdown(unfinished)
    assert "float32: 1 families not run: scale" in unfinished.shortfalls()
    replace(unfinished, left=()).save(tmp_path)
    assert rows_so_far(tmp_path, "tiny", "float32", "sha256:1") == []


def test_tables_show_floors_false_alarms_and_goals(result: Result) -> None:
    text = markdown(result)
    assert "| noise" in text
    assert ">1" in text
    assert "1 of 20" in text
    assert "**short**" in text
    assert "reached" in text
    assert "max distance: 2 false alarms in 40" in totals([result, result])
