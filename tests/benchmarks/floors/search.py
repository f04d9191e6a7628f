"""The search for detection floors: every altered encoder is run once, and all detectors judge that run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SEEDS = 5

Bound = Literal["", ">", "<="]


@dataclass(frozen=True)
class Floor:
    """The smallest magnitude that a detector saw in every seed, as it also saw all larger ones.

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
    """Descend from the largest magnitude until every detector has missed one seed.

    A detector that missed a seed is out: what it may see of smaller alterations is chance. Nothing is assumed
    of magnitudes that were not run, so a floor means that everything from there on up was seen.

    Args:
        magnitudes: smallest first.
        detectors: names.
        judge: magnitude and seed to the excess of each detector, above 1 where it is an alarm.
        seeds: alterations per magnitude, all of which must be seen.

    Returns:
        The floor of each detector, and all that was judged, in the order of running.
    """
    floors = {name: Floor(magnitudes[-1], ">") for name in detectors}
    judged: list[Judged] = []
    left = set(detectors)
    for place in reversed(range(len(magnitudes))):
        for seed in range(seeds):
            excesses = judge(magnitudes[place], seed)
            judged.append(Judged(magnitudes[place], seed, excesses))
            left = {name for name in left if excesses[name] > 1}
            if not left:
                return floors, judged
        for name in left:
            floors[name] = Floor(magnitudes[place], "" if place else "<=")
    return floors, judged
