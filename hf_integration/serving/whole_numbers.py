"""Answers in whole numbers that no recipe rounds to: int8 by unknown scales, and one bit for a dimension.

sentence-transformers' ``quantize_embeddings`` gives every dimension a scale of its own, from texts that only
the server has, and packs the signs of eight dimensions into a byte. Cohere and others do so as well.
"""

import numpy as np
import torch
from torch import Tensor

from hf_integration.serving.numeric import form_of
from hf_integration.stamps.forms import FEWEST_NUMBERS

SMALLEST, LARGEST = -128, 255
"""Of any whole number of one byte, with a sign or without."""

DEAD = 1e-4
"""Share of an embedding's length below which the sign of a number is an accident: MiniLM has three dimensions
of about 1e-8. Other runtimes move numbers by less than a hundredth of this."""

ASK = "ask the server for floating-point numbers"


def what_is_open(answers: Tensor, exact: Tensor) -> str | None:
    """Why answers cannot be judged that are whole numbers; ``None`` for all others, and for int8 by vector.

    Args:
        answers: float64 ``(n, d)``.
        exact: embeddings under the expected recipe, float64 ``(n, dim)``.
    """
    whole = bool((answers == answers.round()).all()) and int((answers != 0).sum()) >= FEWEST_NUMBERS
    if not whole or not form_of(answers).has_lengths:
        return None
    least, most = int(answers.min()), int(answers.max())
    is_bytes = least >= SMALLEST and most <= LARGEST
    if is_bytes and 8 * answers.shape[1] == exact.shape[1]:
        return (
            f"answers are binary, one bit for each of {exact.shape[1]} dimensions: "
            f"{_same_signs(answers, exact):.2%} of the bits are the signs of this encoder's embeddings, where"
            f" another encoder has about half; signs do not show an alteration: {ASK}"
        )
    kind = f"{'int8' if least < 0 else 'uint8'} by a scale that is not known" if is_bytes else "no int8"
    return f"answers are whole numbers of {least} to {most}, {kind}, which cannot be compared: {ASK}"


def _same_signs(answers: Tensor, exact: Tensor) -> float:
    """The share of bits that are as the signs of exact embeddings, without those that are accidents.

    ``binary`` differs from ``ubinary`` by 128, so that a byte with a sign holds it.
    """
    packed = answers.numpy()
    unsigned = packed + 128 if packed.min() < 0 else packed
    bits = torch.from_numpy(np.unpackbits(unsigned.astype(np.uint8), axis=1)).bool()
    alive = exact.abs() > DEAD * exact.norm(dim=1, keepdim=True)
    return float(((exact > 0) == bits)[alive].double().mean())
