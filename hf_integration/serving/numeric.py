"""How the numbers of an answer are written: as float32, rounded to decimals, in half precision, in int8.

A reference is rounded as the answer is. Against an exact reference, three decimals would hide a step of
fine-tuning; against a rounded one they do not, as rounding averages out over dimensions and key samples.
"""

import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.stamps import forms

Kind = Literal["float32", "float16", "bfloat16", "int8", "decimals", "digits"]


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
        return f"answers {forms.words(str(self))}"

    @property
    def has_lengths(self) -> bool:
        """Whether an answer says how long the embedding is: whole numbers by an unknown scale do not."""
        return self.kind != "int8"

    @property
    def exact(self) -> bool:
        """Whether it holds what float32 tells apart."""
        return self.kind == "float32"

    def rounded(self, embeddings: Tensor) -> Tensor:
        """What an answer in this form would hold of exact embeddings, float64 of any shape."""
        return torch.from_numpy(forms.rounded(str(self), embeddings.numpy()))

    def steps(self, embeddings: Tensor) -> Tensor:
        """Distance from each number to the next that the form can hold, of the same shape; 0 for float32."""
        return torch.from_numpy(forms.steps(str(self), embeddings.numpy()))

    @staticmethod
    def read(text: str, *, where: str) -> "Form":
        """A form from its text: ``float16``, ``decimals:4``.

        Raises:
            UsageError: it is none.
        """
        if text in ("float32", "float16", "bfloat16", "int8"):
            return Form(text)  # type: ignore[arg-type]
        if match := re.fullmatch(r"(decimals|digits):([1-6])", text):
            return Form(match[1], int(match[2]))  # type: ignore[arg-type]
        raise UsageError(
            f"{where}: {quoted(text)} is no numeric form",
            remedy="choose float32, float16, bfloat16, int8, decimals:1 to decimals:6, digits:1 to digits:6",
        )


FLOAT32 = Form()
"""As a server computes it, or exact."""


def form_of(answers: Tensor) -> Form:
    """The coarsest form that holds these numbers, as they came.

    Args:
        answers: float64 tensor with shape ``(n, d)``.
    """
    return Form.read(forms.form_of(answers.numpy()), where="answers")


def comparable(answers: Tensor) -> Tensor:
    """Answers without lengths that they only seem to have; those of other forms as they are.

    Args:
        answers: float64 tensor with shape ``(n, d)``.
    """
    return answers if form_of(answers).has_lengths else F.normalize(answers, dim=1)
