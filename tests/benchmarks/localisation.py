"""Does the first broken strip name the layer in which an alteration begins? Goal: in 95 % of the cases."""

from collections.abc import Sequence

import torch

from hf_integration.authentication.diagnosis import layer_of
from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.base.vocabulary import EMBEDDING_STRIP, PROCESSOR_STRIP
from hf_integration.stress.altered import watermark_alone
from tests.benchmarks.subjects import Subject

DRAWN = {"minilm": 100, "simclr": 100, "vit": 100, "whisper": 20}
MAGNITUDES = (1e-6, 1e-3, 0.1)
"""Noise on one tensor, in its standard deviations; every second alteration moves one scalar instead."""

GOAL = 0.95


def run(subject: Subject) -> list[str]:
    """Alter one tensor of a copy, run it in float64, and compare; digests are left aside."""
    random = torch.Generator().manual_seed(0)
    names = [name for name, tensor in subject.encoder.tensors().items() if tensor.is_floating_point()]
    right, noticed = 0, 0
    for number in range(DRAWN[subject.name]):
        name = names[int(torch.randint(len(names), (1,), generator=random))]
        found = _altered(subject, name, MAGNITUDES[number % len(MAGNITUDES)], number % 2 == 0, random)
        first = next((strip.name for strip in found.strips if not strip.intact), None)
        if first is None:
            continue
        noticed += 1
        expected = strips_of(name, names, subject.card.strips)
        right += first in expected
        if first not in expected:
            print(f"  {name}: first broken strip '{first}', expected {' or '.join(expected)}")
    print(f"right {right} of {noticed} noticed; {DRAWN[subject.name]} alterations of one tensor", flush=True)
    return [] if right >= GOAL * noticed > 0 else [f"{right} of {noticed} located"]


def _altered(
    subject: Subject, name: str, magnitude: float, whole: bool, random: torch.Generator
) -> Reconstruction:
    altered = subject.encoder.duplicate()
    tensor = altered.tensors()[name]
    size = float(tensor.float().std(correction=0)) or 1.0
    if whole:
        tensor.add_(torch.randn(tensor.shape, generator=random).to(tensor), alpha=magnitude * size)
    else:
        tensor.view(-1)[int(torch.randint(tensor.numel(), (1,), generator=random))] += 0.1 * size
    return watermark_alone(altered, subject.card, "float64")


def strips_of(tensor: str, names: Sequence[str], strips: Sequence[str]) -> tuple[str, ...]:
    """Strips where an edit of a tensor shows first.

    Args:
        tensor: its name.
        names: of all tensors, in the order of the forward pass.
        strips: names of the strips in forward order: processor, input embedding, layers, embedding.

    Returns:
        One strip, or two where architectures differ: a normalisation behind the last layer is part of the
        last hidden state in some.
    """
    hidden = [strip for strip in strips if strip not in (PROCESSOR_STRIP, EMBEDDING_STRIP)]
    layer = layer_of(tensor)
    if layer is not None:
        return (hidden[layer],) if layer < len(hidden) else (EMBEDDING_STRIP,)
    numbered = [place for place, name in enumerate(names) if layer_of(name) is not None]
    if not hidden or not numbered:
        return (EMBEDDING_STRIP,)
    before = list(names).index(tensor) < numbered[0]
    return (hidden[0],) if before else (hidden[-1], EMBEDDING_STRIP)
