"""Floors are what was seen from there on up; everything is judged once."""

from collections import Counter
from collections.abc import Mapping

from tests.benchmarks.floors.search import Floor, find_floors

MAGNITUDES = (0.001, 0.01, 0.1, 1.0, 10.0)
TOLERATED = {"keen": 0.05, "blunt": 2.0, "blind": 100.0, "wide awake": 1e-9}


def judge(magnitude: float, _: int) -> Mapping[str, float]:
    return {name: magnitude / tolerated for name, tolerated in TOLERATED.items()}


def test_floors_bounds_and_the_end_of_the_search() -> None:
    floors, judged = find_floors(MAGNITUDES, ["keen", "blunt", "blind"], judge, seeds=3)
    assert floors == {"keen": Floor(0.1), "blunt": Floor(10.0), "blind": Floor(10.0, ">")}
    assert Counter(one.magnitude for one in judged) == {10.0: 3, 1.0: 1, 0.1: 3, 0.01: 1}
    floors, judged = find_floors(MAGNITUDES, ["wide awake"], judge, seeds=2)
    assert floors == {"wide awake": Floor(0.001, "<=")}
    assert len(judged) == 6


def test_one_seed_that_goes_unseen_is_one_too_many() -> None:
    def unlucky(magnitude: float, seed: int) -> Mapping[str, float]:
        return {"one": 0.5 if seed == 4 and magnitude <= 1.0 else 2.0}

    floors, judged = find_floors(MAGNITUDES, ["one"], unlucky)
    assert floors["one"] == Floor(10.0)
    assert [one.magnitude for one in judged if one.seed == 4] == [0.001, 0.01, 0.1, 1.0, 10.0]


def test_what_the_first_seed_shows_below_a_miss_is_chance() -> None:
    def gap(magnitude: float, _: int) -> Mapping[str, float]:
        return {"one": 0.5 if magnitude == 0.1 else 2.0}

    floors, judged = find_floors(MAGNITUDES, ["one"], gap)
    assert floors["one"] == Floor(1.0)
    assert min(one.magnitude for one in judged) == 0.1


def test_a_floor_that_is_a_bound_is_marked_and_larger() -> None:
    assert str(Floor(3e-7)) == "3e-7"
    assert str(Floor(1e-9, "<=")) == "<=1e-9"
    assert str(Floor(1.0, ">")) == ">1"
    assert str(Floor(8.0)) == "8"
    assert Floor(1.0, ">").above(Floor(1.0))
    assert not Floor(1.0).above(Floor(1.0, ">"))
    assert not Floor(1.0, "<=").above(Floor(1.0))
