"""Does the first broken strip name the layer in which an alteration begins? Goal: in 95 % of the cases."""

import torch

from hf_integration.authentication.localisation import strips_of
from hf_integration.authentication.reconstruction import Reconstruction
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
