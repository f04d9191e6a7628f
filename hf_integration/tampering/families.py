"""What every tampering is: a named function from encoder to encoder, and families of them by magnitude."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sized
from dataclasses import dataclass

import torch

from hf_integration.base.progress import Progress
from hf_integration.encoders import Encoder

Edit = Callable[[Encoder, float, int], None]
"""Alters an encoder in place: the encoder, a magnitude in the family's unit, a seed."""


def decades(first: int, last: int) -> tuple[float, ...]:
    """Magnitudes to try: powers of ten and three times each, from ``1e first`` up to ``1e last``.

    From below the noise of float64 up to what nobody can overlook. Weights that are stored in float32 move by
    half a unit in their last place or not at all, so the smallest magnitudes reach only the smallest weights,
    or change nothing. Where all weights are altered at once, there are always some that are small enough, so
    those grids begin lower than those of a single weight.
    """
    return (*(factor * 10.0**power for power in range(first, last) for factor in (1, 3)), 10.0**last)


class Tampering(ABC):
    """One way of altering an encoder."""

    @property
    @abstractmethod
    def name(self) -> str:
        """For people, and for choosing it by."""

    @abstractmethod
    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:
        """An altered copy; the encoder itself stays as it is.

        Args:
            encoder: an encoder with its weights at hand.
            progress: told how far it is.
        """


@dataclass(frozen=True)
class Family:
    """Alterations of one kind, from the smallest to the largest magnitude.

    Attributes:
        name: for people, and for choosing it by.
        edit: carries one out in place; its docstring cites the source.
        magnitudes: those that are tried, smallest first; fixed before anything was measured.
        unit: what a magnitude means; empty where there is one size only.
        parts: what is altered; empty for an encoder that has none of it.
    """

    name: str
    edit: Edit
    magnitudes: tuple[float, ...] = (1.0,)
    unit: str = ""
    parts: Callable[[Encoder], Sized] = lambda encoder: encoder.tensors()

    def applies(self, encoder: Encoder) -> bool:
        """Whether an encoder has what is altered."""
        return len(self.parts(encoder)) > 0

    def at(self, magnitude: float, *, seed: int = 0) -> "WeightTampering":
        """The tampering of one magnitude; everything random about it follows from the seed."""
        return WeightTampering(self, magnitude, seed)


@dataclass(frozen=True)
class WeightTampering(Tampering):
    """One alteration of weights.

    Attributes:
        family: what it is one of.
        magnitude: in the family's unit.
        seed: everything random follows from it.
    """

    family: Family
    magnitude: float
    seed: int = 0

    @property
    def name(self) -> str:
        """The family's name, with the magnitude where there are several."""
        return (
            f"{self.family.name}, {self.magnitude:g} {self.family.unit}"
            if self.family.unit
            else self.family.name
        )

    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:  # noqa: ARG002  # quick
        """An altered copy.

        Raises:
            ValueError: the encoder has nothing that this family alters.
        """
        if not self.family.applies(encoder):
            raise ValueError(f"'{encoder.name}' has nothing for '{self.family.name}' to alter")
        altered = encoder.duplicate()
        with torch.no_grad():
            self.family.edit(altered, self.magnitude, self.seed)
        return altered
