"""The baseline: what an endpoint answered, each text several times, alone and among others.

It is trust on first use. It can say that answers changed, and never whose they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from hf_integration.base.errors import FlawError
from hf_integration.base.output_files import write_whole
from hf_integration.stamps import records
from hf_integration.stamps.forms import Array, in_float32

FORMAT, SCHEMA = "sslauth-baseline", 1

Mode = Literal["alone", "together"]
MODES: tuple[Mode, ...] = ("alone", "together")
"""A text by itself in its request, or among others: many servers compute these differently."""

MOST_ROUNDS = 64

MOST_NOISE = 0.5
"""Relative distance of answers to one text, with which nothing can be told."""


@dataclass(frozen=True, eq=False)
class Answered:
    """What was answered in one mode.

    Attributes:
        mean: of the answers to each text, float64 ``(n, dim)``.
        distances: of each answer from the mean of all others to its text, relative: ``(n, rounds)``.
    """

    mean: Array
    distances: Array

    @staticmethod
    def of(answers: Array) -> "Answered":
        """From the answers themselves.

        Args:
            answers: float64 ``(rounds, n, dim)``, at least two rounds.

        Raises:
            InconclusiveError: those to one text are zero in float32, on the average.
        """
        mean, rounds = answers.mean(axis=0), len(answers)
        # from the mean of all to that of all others
        away = relative(answers, mean) * rounds / (rounds - 1)
        return Answered(in_float32(mean), away.T)


def relative(answers: Array, mean: Array) -> Array:
    """Distances of answers from a mean, relative to its length: ``(rounds, n)`` of ``(rounds, n, dim)``."""
    away = np.linalg.norm(answers - mean, axis=2)
    return np.asarray(away / np.maximum(np.linalg.norm(mean, axis=1), 1e-300))


@dataclass(frozen=True, eq=False)
class Baseline:
    """What an endpoint answered when it was first asked.

    It is private: it holds the texts, and with them what a server would have to replay.

    Attributes:
        url: of the endpoint.
        api: that was spoken.
        model: that was asked for, or ``None``.
        begun: when the first text was asked, ISO 8601 in UTC.
        created: when the last one was answered.
        form: how the numbers were written: ``float32``, ``decimals:4``.
        texts: that were asked.
        answered: by mode.
    """

    url: str
    api: str
    model: str | None
    begun: str
    created: str
    form: str
    texts: tuple[str, ...] = field(repr=False)
    answered: Mapping[Mode, Answered] = field(repr=False)

    @property
    def dimensions(self) -> int:
        """Of an embedding."""
        return int(self.answered["alone"].mean.shape[1])

    @property
    def rounds(self) -> int:
        """How often each text was asked in each mode."""
        return int(self.answered["alone"].distances.shape[1])

    @property
    def noise(self) -> float:
        """Largest relative distance of an answer from the others to the same text."""
        return max(float(found.distances.max()) for found in self.answered.values())

    def save(self, path: Path) -> None:
        """Write it for its owner only, whole or not at all.

        Raises:
            OutputError: the file system refuses.
        """
        content: dict[str, Any] = {
            "format": FORMAT,
            "schema": SCHEMA,
            "url": self.url,
            "api": self.api,
            "model": self.model,
            "begun": self.begun,
            "created": self.created,
            "form": self.form,
            "dimensions": self.dimensions,
            "rounds": self.rounds,
            "texts": list(self.texts),
            "answered": {
                mode: {
                    "mean": [records.packed(row) for row in found.mean],
                    "distances": [records.packed(row) for row in found.distances],
                }
                for mode, found in self.answered.items()
            },
        }
        write_whole(path, f"{records.write(content)}\n".encode(), secret=True)

    @staticmethod
    def load(path: Path) -> "Baseline":
        """Read one.

        Raises:
            UsageError: there is no such file.
            RecordError: it is damaged, or of another version.
        """
        data = records.read(path, "baseline")
        try:
            return _baseline(records.parse(_BaselineRecord, FORMAT, SCHEMA, data))
        except FlawError as flaw:
            raise records.damaged("baseline", str(path), flaw) from None


class _AnsweredRecord(records.Record):
    mean: records.Rows
    distances: records.Rows


class _ModesRecord(records.Record):
    alone: _AnsweredRecord
    together: _AnsweredRecord


class _BaselineRecord(records.Record):
    format: Literal["sslauth-baseline"]
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    url: records.Name
    api: records.Name
    model: records.Name | None
    begun: records.Time
    created: records.Time
    form: records.Form
    dimensions: records.Width
    rounds: Annotated[int, Field(ge=2, le=MOST_ROUNDS)]
    texts: records.Texts
    answered: _ModesRecord
    checksum: records.Checksum


def _baseline(record: _BaselineRecord) -> Baseline:
    """A baseline of what was read.

    Raises:
        FlawError: its parts do not fit together.
    """
    count = len(record.texts)
    if len(set(record.texts)) < count:
        raise FlawError("texts", "the same text occurs twice")
    answered: dict[Mode, Answered] = {}
    for mode in MODES:
        found: _AnsweredRecord = getattr(record.answered, mode)
        if not len(found.mean) == len(found.distances) == count:
            raise FlawError(f"answered.{mode}", f"not one embedding for each of {count} texts")
        rows = [
            records.unpacked(row, record.rounds, f"answered.{mode}.distances.{place}")
            for place, row in enumerate(found.distances)
        ]
        distances = np.stack(rows)
        if not ((distances >= 0) & (distances <= MOST_NOISE)).all():
            raise FlawError(f"answered.{mode}.distances", f"a distance that is not from 0 to {MOST_NOISE}")
        mean = records.rows_of(found.mean, record.dimensions, f"answered.{mode}.mean")
        answered[mode] = Answered(mean, distances)
    return Baseline(
        url=record.url,
        api=record.api,
        model=record.model,
        begun=record.begun,
        created=record.created,
        form=record.form,
        texts=tuple(record.texts),
        answered=answered,
    )
