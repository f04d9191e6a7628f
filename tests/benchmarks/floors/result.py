"""What the benchmark found on one encoder in one precision, how it compares, and its JSON round trip."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.floors.search import Floor, Judged

OURS, DISTANCE, STRIPS, EMBEDDING, DECODER, BITS = (
    "watermark",
    "max distance",
    "strip distance",
    "embedding distance",
    "plain decoder",
    "decoded bits",
)
DETECTORS = (OURS, DISTANCE, STRIPS, EMBEDDING, DECODER, BITS)

LEAST_RATIO = {
    "float32": {DISTANCE: 10.0, DECODER: 100.0},
    "float16": {DISTANCE: 3.0},
    "bfloat16": {DISTANCE: 3.0},
}
"""Geometric mean over families of a rival's floor over ours."""

NEVER_ABOVE = {"float32": (DISTANCE, STRIPS, EMBEDDING)}
"""Rivals whose floor ours exceeds in no family."""


NEAR = (0.3, 300.0)
"""Share of its threshold at which a rival's deviation is neither nothing but rounding nor large."""


@dataclass(frozen=True)
class Row:
    """One family.

    Attributes:
        family: its name.
        unit: of its magnitudes.
        floors: detector -> floor.
        judged: every altered encoder that was run.
    """

    family: str
    unit: str
    floors: dict[str, Floor]
    judged: list[Judged]

    def sensitivity(self, rival: str) -> float | None:
        """How many times as far beyond its threshold ours is as a rival, whatever the steps of the grid.

        The median over runs that put the rival within ``NEAR`` of its threshold, as far from it deviations
        are no longer small. Ours is taken as a distance (``strip distance``): the error of a tile saturates.
        None where no run came near.
        """
        ratios = [
            judged.excesses[STRIPS] / judged.excesses[rival]
            for judged in self.judged
            if NEAR[0] < judged.excesses[rival] < NEAR[1]
        ]
        return statistics.median(ratios) if ratios else None


@dataclass(frozen=True)
class Alarms:
    """One detector on the held-out benign runs.

    Attributes:
        detector: its name.
        runs: how many.
        false: names of those that raised an alarm.
        worst: largest statistic over threshold.
        worst_run: where.
    """

    detector: str
    runs: int
    false: list[str]
    worst: float
    worst_run: str


@dataclass(frozen=True)
class Result:
    """One encoder in one precision.

    Attributes:
        encoder: its name.
        precision: of every run.
        keys: key samples.
        facts: further figures, by what they are.
        rows: one per family with magnitudes that the encoder has parts for.
        alarms: one per detector.
        card: digest of the card.
        left: families that were not run yet.
    """

    encoder: str
    precision: str
    keys: int
    facts: dict[str, float]
    rows: list[Row]
    alarms: list[Alarms]
    card: str = ""
    left: tuple[str, ...] = ()

    def ratio(self, rival: str) -> float:
        """Geometric mean over families of a rival's floor over ours.

        Floors that are bounds count as the bound. Where neither saw anything the ratio counts as 1.
        """
        logs = [math.log(row.floors[rival].magnitude / row.floors[OURS].magnitude) for row in self.rows]
        return math.exp(sum(logs) / len(logs))

    def sensitivity(self, rival: str) -> float | None:
        """Geometric mean over families of :meth:`Row.sensitivity`, as far as there is one."""
        found = [ratio for row in self.rows if (ratio := row.sensitivity(rival))]
        return math.exp(sum(map(math.log, found)) / len(found)) if found else None

    def families_above(self, rival: str) -> list[str]:
        """Families in which a rival sees smaller alterations than ours."""
        return [row.family for row in self.rows if row.floors[OURS].above(row.floors[rival])]

    def shortfalls(self) -> list[str]:
        """Goals that are not reached, in words."""
        short = [f"{len(self.left)} families not run: {', '.join(self.left)}"] if self.left else []
        short += [
            f"geometric mean of {rival} / {OURS}: {self.ratio(rival):.3g}, goal {goal:g}"
            for rival, goal in LEAST_RATIO.get(self.precision, {}).items()
            if not self.ratio(rival) >= goal
        ]
        short += [
            f"floor above that of {rival}: {', '.join(above)}"
            for rival in NEVER_ABOVE.get(self.precision, ())
            if (above := self.families_above(rival))
        ]
        short += [
            f"{len(alarm.false)} false alarms in {alarm.runs} benign runs"
            for alarm in self.alarms
            if alarm.detector == OURS and alarm.false
        ]
        return [f"{self.precision}: {line}" for line in short]

    def save(self, folder: Path) -> Path:
        """Write ``floors-ENCODER-PRECISION.json``."""
        file = folder / f"floors-{self.encoder}-{self.precision}.json"
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return file


def load(file: Path) -> Result:
    """Read what :meth:`Result.save` wrote."""
    data = json.loads(file.read_text())
    rows = [
        Row(
            row["family"],
            row["unit"],
            {name: Floor(**floor) for name, floor in row["floors"].items()},
            [Judged(**judged) for judged in row["judged"]],
        )
        for row in data.pop("rows")
    ]
    alarms = [Alarms(**alarm) for alarm in data.pop("alarms")]
    left = tuple(data.pop("left", ()))
    return Result(**data, rows=rows, alarms=alarms, left=left)


def rows_so_far(folder: Path, encoder: str, precision: str, card: str) -> list[Row]:
    """Rows of a run with the same card that was ended before it was through; none of one that was."""
    for result in load_all(folder):
        if (result.encoder, result.precision, result.card) == (encoder, precision, card) and result.left:
            return result.rows
    return []


def load_all(folder: Path) -> Sequence[Result]:
    """All results in a folder."""
    return [load(file) for file in sorted(folder.glob("floors-*.json"))]
