"""One layout at a time: saved by the library, opened by us, and both asked for the same samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hf_integration.base.errors import SSLAuthError
from hf_integration.encoders import Encoder, open_encoder
from tests.agreement.building import Layout
from tests.encoders import tiny_models

WANTED = 1e-6
"""Largest difference between two embeddings that is taken for rounding, over the length of the embedding."""

TEXTS = [*tiny_models.TEXTS, "The DOG jumps over a mat " * 12, "Sea"]


@dataclass(frozen=True)
class Line:
    """What came of one layout.

    Attributes:
        name: of the layout.
        difference: the largest over all samples; ``None`` where it was refused.
        words: the reason of a refusal, or how the encoder is described.
        good: whether that is as it should be.
    """

    name: str
    difference: float | None
    words: str
    good: bool


def samples_of(layout: Layout) -> list[Any]:
    """What both are asked for."""
    if layout.kind == "CrossEncoder":
        return list(zip(TEXTS, [*TEXTS[1:], "the sea"], strict=True))
    return TEXTS if layout.modality == "text" else list(tiny_models.samples(layout.modality))


def compare(layout: Layout, place: Path) -> Line:
    """Save a layout and compare.

    Args:
        layout: which one.
        place: an empty folder.
    """
    layout.save(place / "base", place / "saved")
    return compare_folder(layout, place / "saved")


def compare_folder(layout: Layout, folder: Path) -> Line:
    """Compare what is saved in a folder."""
    samples = samples_of(layout)
    try:
        encoder = open_encoder(folder, name=layout.name, device="cpu", modality=layout.modality)
        found = ours(encoder, samples)
    except SSLAuthError as error:
        words = str(error).replace(f"{folder}", "").lstrip("/: ")
        return Line(layout.name, None, words, good=bool(layout.refused) and layout.refused in words)
    difference = relative(found, theirs(layout, folder, samples))
    return Line(
        layout.name, difference, encoder.description.pooling, good=not layout.refused and difference <= WANTED
    )


def ours(encoder: Encoder, samples: list[Any]) -> Tensor:
    """Our embeddings, float64 ``(n, dim)``."""
    return encoder.embed(samples).double()


def theirs(layout: Layout, folder: Path, samples: list[Any]) -> Tensor:
    """What the library gives, float64 ``(n, dim)``."""
    model = loaded(layout, folder)
    if layout.kind == "CrossEncoder":
        scores: Tensor = model.predict(samples, convert_to_tensor=True).cpu().double()
        return scores.view(len(samples), -1)
    if layout.kind == "MultiVectorEncoder":
        return torch.stack([vectors.cpu().double().mean(0) for vectors in model.encode(samples)])
    found: Tensor = model.encode(samples, convert_to_tensor=True)
    return found.to_dense().cpu().double() if found.is_sparse else found.cpu().double()


def loaded(layout: Layout, folder: Path) -> Any:
    """The library's own object."""
    import sentence_transformers

    return getattr(sentence_transformers, layout.kind)(str(folder), device="cpu")


def relative(one: Tensor, other: Tensor) -> float:
    """The largest difference between two embeddings of a sample, over the length of the second.

    Args:
        one: ``(n, dim)``.
        other: the same shape.
    """
    if one.shape != other.shape:
        return float("inf")
    lengths = other.norm(dim=1)
    if other.shape[1] == 1:  # scores may be nearly zero
        lengths = lengths.max()
    return float(((one - other).norm(dim=1) / lengths).max())
