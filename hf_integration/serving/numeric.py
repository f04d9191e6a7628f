"""How the numbers of an answer are written: as float32, rounded to decimals, cast to a half precision.

A reference is rounded as the answer is. Against an exact reference, three decimals would hide a step of
fine-tuning; against a rounded one they do not, as rounding averages out over dimensions and key samples.
"""

import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted

Kind = Literal["float32", "float16", "bfloat16", "decimals", "digits"]

MOST_DECIMALS = 6
"""Seven decimals, or seven digits, hide nothing that float32 tells apart."""

FEWEST_NUMBERS = 64
"""Numbers that an answer must hold before its form is believed: fewer may look rounded by chance."""


@dataclass(frozen=True)
class Form:
    """A numeric form.

    Attributes:
        kind: decimals behind the point, significant digits, or a floating-point type.
        places: how many decimals or digits; 0 for a type.
    """

    kind: Kind = "float32"
    places: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.places}" if self.places else self.kind

    @property
    def words(self) -> str:
        """For people."""
        if self.kind == "decimals":
            return f"answers rounded to {self.places} decimals"
        if self.kind == "digits":
            return f"answers rounded to {self.places} significant digits"
        return f"answers in {self.kind}"

    @property
    def exact(self) -> bool:
        """Whether it holds what float32 tells apart."""
        return self.kind == "float32"

    def rounded(self, embeddings: Tensor) -> Tensor:
        """What an answer in this form would hold of exact embeddings, float64 of any shape."""
        match self.kind:
            case "float16" | "bfloat16":
                return embeddings.to(getattr(torch, self.kind)).double()
            case "decimals":
                return torch.round(embeddings, decimals=self.places)
            case "digits":
                unit = _units(embeddings, self.places)
                return torch.where(embeddings == 0, embeddings, torch.round(embeddings / unit) * unit)
            case _:
                return embeddings

    def steps(self, embeddings: Tensor) -> Tensor:
        """Distance from each number to the next that the form can hold, of the same shape; 0 for float32."""
        match self.kind:
            case "decimals":
                return torch.full_like(embeddings, 10.0**-self.places)
            case "digits":
                return _units(embeddings, self.places)
            case "float16" | "bfloat16":
                kind = torch.finfo(getattr(torch, self.kind))
                exponents = torch.frexp(embeddings.abs().clamp(min=kind.smallest_normal)).exponent
                return kind.eps * torch.pow(torch.tensor(2.0, dtype=torch.float64), exponents - 1)
            case _:
                return torch.zeros_like(embeddings)

    @staticmethod
    def read(text: str, *, where: str) -> "Form":
        """A form from its text: ``float16``, ``decimals:4``.

        Raises:
            UsageError: it is none.
        """
        if text in ("float32", "float16", "bfloat16"):
            return Form(text)  # type: ignore[arg-type]
        if match := re.fullmatch(r"(decimals|digits):([1-6])", text):
            return Form(match[1], int(match[2]))  # type: ignore[arg-type]
        raise UsageError(
            f"{where}: {quoted(text)} is no numeric form",
            remedy="choose float32, float16, bfloat16, decimals:1 to decimals:6, or digits:1 to digits:6",
        )


FLOAT32 = Form()
"""As a server computes it, or exact."""


def _units(embeddings: Tensor, digits: int) -> Tensor:
    """What the last of so many significant digits counts."""
    size = torch.floor(torch.log10(embeddings.abs().clamp(min=1e-300)))
    return torch.pow(torch.tensor(10.0, dtype=torch.float64), size - digits + 1)


def form_of(answers: Tensor) -> Form:
    """The coarsest form that holds these numbers, as they came.

    One digit of a number of 0.000002 is six decimals, and four decimals of numbers below 1 are four digits:
    several forms may hold all of them, and the one with the widest steps says most.

    Args:
        answers: float64 tensor with shape ``(n, d)``.
    """
    values = answers.flatten()
    values = values[values != 0]
    if len(values) < FEWEST_NUMBERS:
        return Form()
    candidates = [
        *(Form("decimals", places) for places in range(1, MOST_DECIMALS + 1)),
        *(Form("digits", places) for places in range(1, MOST_DECIMALS + 1)),
        Form("bfloat16"),
        Form("float16"),
    ]
    holding = [form for form in candidates if _holds(form, values)]
    return max(holding, key=lambda form: round(_width(form, values), 6), default=Form())


def _width(form: Form, values: Tensor) -> float:
    """How wide a form's steps are, as the mean logarithm of them."""
    return float(form.steps(values).log10().mean())


def _holds(form: Form, values: Tensor) -> bool:
    """Whether rounding leaves the values as they are, but for their being written in decimals."""
    away = (form.rounded(values) - values).abs()
    return bool((away <= 2**-24 * values.abs()).all())  # what was rounded may have been written as float32
