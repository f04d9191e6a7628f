"""Answers beside what a stamp holds: how far apart they are, and what the numbers show by themselves."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hf_integration.base.errors import InconclusiveError
from hf_integration.stamps.forms import FLOAT32, Array, coarseness, steps, words
from hf_integration.stamps.stamp import MOST_TOLERATED, Stamp, unit


@dataclass(frozen=True, eq=False)
class Held:
    """Answers beside what the stamp holds, over the dimensions that both have.

    Attributes:
        stamp: the stamp, without the texts that were refused.
        answers: float64 ``(n, dim)``.
        form: how the answers are written.
    """

    stamp: Stamp
    answers: Array
    form: str

    @property
    def width(self) -> int:
        """Dimensions that both have."""
        return min(int(self.answers.shape[1]), self.stamp.dimensions)

    @cached_property
    def distances(self) -> Array:
        """Of directions, ``(n,)``."""
        away = unit(self.answers[:, : self.width]) - unit(self.stamp.embeddings[:, : self.width])
        return np.asarray(np.linalg.norm(away, axis=1))

    @cached_property
    def tolerances(self) -> Array:
        """Of directions, ``(n,)``: rounding moves every number by half a step at most, on either side."""
        return self.stamp.tolerance + self.rounding + _rounding(self.stamp.form, self.stamp.embeddings)

    @cached_property
    def rounding(self) -> Array:
        """What the rounding of the answers may move directions by, ``(n,)``."""
        return _rounding(self.form, self.answers)

    def check_fine(self, accept: float) -> None:
        """Refuse answers that fit only because they are rounded so coarsely that any encoder's might.

        Args:
            accept: distance that the caller accepts, whatever the rounding.

        Raises:
            InconclusiveError: these do.
        """
        short, apart = slice(0, self.stamp.short), float(self.tolerances.max())
        fit = (self.distances[short] <= self.tolerances[short]).all()
        if fit and apart > MOST_TOLERATED and not self.distances.max() <= accept:
            coarser = max(self.form, self.stamp.form, key=lambda form: coarseness(form, self.answers))
            raise InconclusiveError(
                f"embeddings {apart:.1g} apart would look alike: their numbers are {words(coarser)}",
                remedy="have the texts embedded to more digits",
            )

    def differences(self) -> tuple[str, ...]:
        """What the numbers show by themselves: width, lengths, rounding."""
        return tuple(said for said in (self._cut(), self._scaled(), self.written()) if said)

    def _cut(self) -> str:
        came, kept = self.answers.shape[1], self.stamp.dimensions
        if came < kept:
            return f"only the first {came} of {kept} dimensions"
        return f"{came} dimensions instead of the first {kept}" if came > kept else ""

    def _scaled(self) -> str:
        if self.answers.shape[1] != self.stamp.dimensions:
            return ""
        came, kept = (np.linalg.norm(rows, axis=1) for rows in (self.answers, self.stamp.embeddings))
        times, tolerances = came / kept, self.tolerances
        if (np.abs(times - 1) <= np.maximum(tolerances, self.distances)).all():
            return ""
        if (np.abs(came - 1) <= tolerances).all():
            return "scaled to length 1"
        if np.ptp(times) <= 2 * tolerances.max() * times.max():
            return f"scaled by {np.median(times):.4g}"
        return "not scaled to length 1" if (np.abs(kept - 1) <= tolerances).all() else "of other lengths"

    def written(self) -> str:
        """How the numbers are written, if that is not as in the stamp."""
        kept = self.stamp.form
        if self.form == kept:
            return ""
        # of two roundings the coarser one is seen; the finer one holds the other's numbers
        if coarseness(self.form, self.answers) > coarseness(kept, self.answers):
            return words(self.form)
        return f"not {words(kept)}"


def _rounding(form: str, rows: Array) -> Array:
    if form == FLOAT32:
        return np.zeros(len(rows))
    return np.asarray(np.linalg.norm(steps(form, rows), axis=1) / 2 / np.linalg.norm(rows, axis=1))
