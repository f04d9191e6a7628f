"""The coverage of a card, as the card records it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psutil
import torch
from torch import nn

from hf_integration.authentication.references import reference_for
from hf_integration.card import WatermarkCard
from hf_integration.coverage.counting import EDIT, TensorCoverage, count, inert_among
from hf_integration.coverage.ranks import InputRank, input_ranks
from hf_integration.coverage.sensitivity import Sensitivity, Units, sensitivities
from hf_integration.encoders.interface import Encoder, Precision
from hf_integration.progress import Progress
from hf_integration.watermark.calibration import evened

PRECISIONS: tuple[Precision, ...] = ("float64", "float32")
"""Half precision tolerates far more than an edit of a single scalar usually moves; it is not measured."""

MOST_LISTED = 32
"""Tensors that a card lists as partly covered, the least covered first."""

BYTES_PER_SCALAR = 8 + 8 + 4 * (len(PRECISIONS) + 1)
"""Memory that the measurement takes: copy, gradients, reactions."""


def measure_coverage(
    card: WatermarkCard, encoder: Encoder, *, thorough: int | None = None, progress: Progress
) -> dict[str, Any]:
    """Measure what the key samples of a card reach.

    Args:
        card: with its references calibrated.
        encoder: the one that the card is minted for.
        thorough: of how many key samples, from the first on, all strips are looked at; the others are there
            for lookup tables. All by default.
        progress: told how far it is.

    Returns:
        Plain JSON values; ``measured`` is false, with a reason, where memory does not suffice.
    """
    samples = len(card.key_samples)
    result: dict[str, Any] = {"key samples": samples, "measured": False}
    needed = encoder.description.parameters * BYTES_PER_SCALAR
    if needed > _available_memory():
        return {**result, "reason": f"{needed / 1e9:.0f} GB of memory are needed"}
    progress.start("coverage", 2 * samples)
    measured = measure_sensitivities(card, encoder, thorough=thorough, progress=progress)
    tensors, tables = encoder.tensors(), lookup_tables(encoder)
    counted = {precision: count(measured[precision], tensors, tables) for precision in PRECISIONS}
    inert = inert_among(counted["float64"])
    return {
        **result,
        "measured": True,
        "edit": EDIT,
        "precisions": {precision: _totals(found, inert) for precision, found in counted.items()},
        "rows without key sample": {
            tensor.name: [tensor.rows_unmet, tensor.rows]
            for tensor in counted["float64"]
            if tensor.rows_unmet
        },
        "cannot matter": list(inert),
        "layer inputs": _inputs(input_ranks(encoder, card.key_samples, progress=progress)),
    }


def measure_sensitivities(
    card: WatermarkCard, encoder: Encoder, *, thorough: int | None, progress: Progress
) -> dict[str, Sensitivity]:
    """Reactions in both precisions, over all key samples of a card."""
    running = encoder.at_precision("float64")
    if running is encoder:
        running = encoder.duplicate()
    middle = thorough if thorough is not None else len(card.key_samples)
    found: dict[str, Sensitivity] = {}
    for part, strips in ((slice(0, middle), None), (slice(middle, None), 1)):
        some = card.key_samples[part]
        if not some:
            continue
        units: dict[str, Units] = {precision: _units(card, precision, part) for precision in PRECISIONS}
        reactions = sensitivities(
            running, some, units, seed=card.seed, first_strips=strips, progress=progress
        )
        for precision, sensitivity in reactions.items():
            for name, reaction in sensitivity.reaction.items():
                found.setdefault(precision, Sensitivity()).raise_to(name, reaction)
    return found


def _units(card: WatermarkCard, precision: Precision, part: slice) -> Units:
    """What a change of a key sample's sketch counts in tolerances of its own tile."""
    reference = reference_for(card, "stored", precision)
    return {
        strip: (evened(torch.ones_like(sketches), sketches) / calibration.noise / calibration.scales[0])[part]
        for strip, sketches, calibration in zip(
            card.strips, reference.sketches, reference.calibrations, strict=True
        )
    }


def lookup_tables(encoder: Encoder) -> frozenset[str]:
    """Names of the tensors that are looked up row by row."""
    return frozenset(
        f"{name}.weight" for name, module in encoder.model.named_modules() if isinstance(module, nn.Embedding)
    )


def _totals(tensors: Sequence[TensorCoverage], inert: Collection[str]) -> dict[str, Any]:
    counted = [tensor for tensor in tensors if tensor.name not in inert]
    partly = sorted(
        (tensor for tensor in counted if tensor.covered < tensor.met),
        key=lambda tensor: tensor.covered / tensor.met,
    )
    return {
        "scalars": sum(tensor.scalars for tensor in tensors),
        "met": sum(tensor.met for tensor in counted),
        "covered": sum(tensor.covered for tensor in tensors),
        "tensors": len(counted),
        "tensors covered": sum(tensor.covered > 0 for tensor in counted),
        "partly covered": {tensor.name: [tensor.covered, tensor.met] for tensor in partly[:MOST_LISTED]},
        "partly covered besides": max(0, len(partly) - MOST_LISTED),
    }


def _inputs(ranks: Sequence[InputRank]) -> dict[str, Mapping[str, Any]]:
    return {
        entry.layer: {
            "width": entry.width,
            "vectors": entry.vectors,
            "rank": entry.rank,
            "condition": None if entry.condition is None else float(f"{entry.condition:.3g}"),
        }
        for entry in ranks
    }


def _available_memory() -> float:
    """Bytes that may be taken: what the system can give without swapping, less a reserve for others."""
    return 0.6 * float(psutil.virtual_memory().available)
