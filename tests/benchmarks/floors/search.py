"""The search for detection floors: every altered encoder is run once, and all detectors judge that run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

SEEDS = 5

Bound = Literal["", ">", "<="]


@dataclass(frozen=True)
class Floor:
    """The smallest magnitude from which on a detector saw every seed.

    Attributes:
        magnitude: in the family's unit.
        bound: ``>`` where even the largest magnitude, given here, went unseen in some seed; ``<=`` where the
            smallest that was tried was seen.
    """

    magnitude: float
    bound: Bound = ""

    def __str__(self) -> str:
        return f"{self.bound}{self.magnitude:.0e}".replace("e-0", "e-").replace("e+00", "")

    def above(self, other: "Floor") -> bool:
        """Whether less is seen than by another: what went unseen counts as more than what was seen."""
        return (self.magnitude, self.bound == ">") > (other.magnitude, other.bound == ">")


@dataclass(frozen=True)
class Judged:
    """What the detectors made of one altered encoder.

    Attributes:
        magnitude: in the family's unit.
        seed: of the alteration.
        excesses: detector -> statistic over threshold.
    """

    magnitude: float
    seed: int
    excesses: Mapping[str, float]


def find_floors(
    magnitudes: Sequence[float],
    detectors: Sequence[str],
    judge: Callable[[float, int], Mapping[str, float]],
    *,
    seeds: int = SEEDS,
) -> tuple[dict[str, Floor], list[Judged]]:
    """Descend from the largest magnitude with one seed, then climb as far as the others need.

    The first seed runs every magnitude until all detectors have missed one, so that what is above a floor was
    seen and not supposed. Each further seed is tried at the floors found so far, and where it goes unseen the
    floor moves up: this takes for granted that a larger alteration of the same seed shows more.

    Args:
        magnitudes: smallest first.
        detectors: names.
        judge: magnitude and seed to the excess of each detector, above 1 where it is an alarm; called once
            for each.
        seeds: alterations per magnitude, all of which must be seen.

    Returns:
        The floor of each detector, and all that was judged, in the order of running.
    """
    judged: dict[tuple[int, int], Judged] = {}

    def seen(name: str, place: int, seed: int) -> bool:
        if (place, seed) not in judged:
            judged[place, seed] = Judged(magnitudes[place], seed, judge(magnitudes[place], seed))
        return judged[place, seed].excesses[name] > 1

    places = {name: _descend(partial(seen, name, seed=0), len(magnitudes)) for name in detectors}
    for seed in range(1, seeds):
        for name in detectors:
            while places[name] < len(magnitudes) and not seen(name, places[name], seed):
                places[name] += 1
    return {name: _floor(magnitudes, place) for name, place in places.items()}, list(judged.values())


def _descend(seen: Callable[[int], bool], count: int) -> int:
    """Lowest of ``count`` places from which on upwards everything is seen; ``count`` if the last is not."""
    place = count
    while place and seen(place - 1):
        place -= 1
    return place


def _floor(magnitudes: Sequence[float], place: int) -> Floor:
    if place == len(magnitudes):
        return Floor(magnitudes[-1], ">")
    return Floor(magnitudes[place], "" if place else "<=")
