"""From which magnitude on does an alteration outlive being stored? Below it there is little to detect.

A float32 moves by half a unit in its last place or not at all. Where a floor lies near the magnitude that is
printed here, no detector could lower it by much. No goal.
"""

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.tampering.catalogue import families_for
from hf_integration.tampering.families import Family
from tests.benchmarks.subjects import Subject

SHARES = (0.5, 0.05)
"""Of the numbers that the largest magnitude changes."""


def run(subject: Subject) -> list[str]:
    """Print, per family, the smallest magnitudes at which these shares of the numbers change at all."""
    before = {name: tensor.clone() for name, tensor in subject.encoder.tensors().items()}
    shares = " | ".join(f"{share:.0%} of the numbers change from" for share in SHARES)
    print(f"| family | unit | numbers | {shares} |\n|---|---|---|{'---|' * len(SHARES)}", flush=True)
    for family in families_for(subject.encoder):
        if len(family.magnitudes) > 1:
            count, found = smallest(family, subject.encoder, before)
            print(f"| {family.name} | {family.unit} | {count:,} | {' | '.join(found)} |", flush=True)
    return []


def smallest(family: Family, encoder: Encoder, before: dict[str, Tensor]) -> tuple[int, list[str]]:
    """How many numbers the largest magnitude changes, and from where on each of ``SHARES`` of them does.

    Args:
        family: one with magnitudes.
        encoder: the unaltered one.
        before: its tensors.

    Returns:
        The count, and one magnitude per share; ``<=`` where the smallest of the grid changes as many.
    """
    magnitudes = family.magnitudes
    count = _changed(family, magnitudes[-1], encoder, before)
    place = len(magnitudes) - 1
    found: list[str] = []
    if not count:
        return 0, ["nothing changes"] * len(SHARES)
    for share in SHARES:
        while place and _changed(family, magnitudes[place - 1], encoder, before) >= share * count:
            place -= 1
        found.append(f"{'' if place else '<='}{magnitudes[place]:.0e}")
    return count, found


def _changed(family: Family, magnitude: float, encoder: Encoder, before: dict[str, Tensor]) -> int:
    altered = family.at(magnitude)(encoder).tensors()
    return sum(int(torch.count_nonzero(altered[name] != tensor)) for name, tensor in before.items())
