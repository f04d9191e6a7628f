"""The coverage of a card, as the card records it."""

from collections.abc import Collection, Sequence
from statistics import median
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from hf_integration.authentication.references import reference_for
from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import PROCESSOR_STRIP, Precision
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import Coverage, LayerInput, NotMeasured, PrecisionCoverage
from hf_integration.coverage.ranks import InputRank, input_ranks
from hf_integration.coverage.sensitivity import (
    EDIT,
    Sensitivity,
    TensorCoverage,
    Units,
    count,
    gradient_noise,
    inert_among,
    sensitivities,
)
from hf_integration.encoders.interface import Encoder
from hf_integration.key_samples.samples import Sample, size_of
from hf_integration.watermark.calibration import evened

PRECISIONS: tuple[Precision, ...] = ("float64", "float32")
"""Half precision tolerates far more than an edit of a single scalar usually moves; it is not measured."""

MEASURED: Precision = "float32"
"""Whose tolerances reactions are measured in."""

MOST_LISTED = 32
"""Tensors that a card lists as partly covered, the least covered first."""

BATCH_SIZE = 8
"""Samples whose reactions are added up in one backward pass, where memory suffices."""

SAMPLES_IN_BOTH = 2
"""Samples that tell what is only rounding in a derivative."""

MOST_GRAPH = 1 << 30
"""Bytes that the graph of a batch may take, if that of its longest sample does not take more."""

LONG = 4
"""Times the median length from which a sample is run by itself."""

BYTES_PER_SCALAR = 4 + 4 + 2
"""Memory that the measurement takes: gradients, their sizes, reactions."""


def measure_coverage(
    card: WatermarkCard,
    encoder: Encoder,
    *,
    thorough: int | None = None,
    unreachable: int | None = None,
    progress: Progress,
) -> Coverage | NotMeasured:
    """Measure what the key samples of a card reach.

    Args:
        card: with its references calibrated.
        encoder: the one that the card is minted for.
        thorough: of how many key samples, from the first on, all strips are looked at; the others are there
            for lookup tables. All by default.
        unreachable: tokens that no raw text gives, where that was found out.
        progress: told how far it is.

    Returns:
        What was measured, or the reason why it was not: memory does not suffice.
    """
    samples = len(card.key_samples)
    held = encoder.description.parameters * BYTES_PER_SCALAR
    usual, long = (
        graph_bytes(encoder, [card.key_samples[place] for place in places]) if places else 0
        for places in _by_length(card.key_samples)
    )
    room, needed = available_memory() - held, max(usual, long)
    if room < needed:
        return NotMeasured(samples, False, f"{(held + needed) / 1e9:.1f} GB of memory are needed")
    batch_size = int(min(BATCH_SIZE, max(min(room, MOST_GRAPH), needed) // max(usual, 1)))
    progress.start("coverage", 2 * samples)
    measured = measure_sensitivities(
        card, encoder, thorough=thorough, batch_size=batch_size, progress=progress
    )
    tensors, tables = encoder.tensors(), lookup_tables(encoder)
    counted = {precision: count(measured[precision], tensors, tables) for precision in PRECISIONS}
    inert = inert_among(counted["float64"])
    return Coverage(
        key_samples=samples,
        measured=True,
        edit=EDIT,
        precisions={precision: _totals(found, inert) for precision, found in counted.items()},
        rows_without_key_sample={
            tensor.name: (tensor.rows_unmet, tensor.rows)
            for tensor in counted["float64"]
            if tensor.rows_unmet
        },
        tokens_without_text=unreachable,
        cannot_matter=inert,
        layer_inputs=_inputs(input_ranks(encoder, card.key_samples, progress=progress)),
    )


def measure_sensitivities(
    card: WatermarkCard,
    encoder: Encoder,
    *,
    thorough: int | None,
    batch_size: int = BATCH_SIZE,
    progress: Progress,
) -> dict[str, Sensitivity]:
    """Reactions in both precisions, over all key samples of a card."""
    middle = thorough if thorough is not None else len(card.key_samples)
    few = slice(0, SAMPLES_IN_BOTH)
    noise = gradient_noise(encoder, card.key_samples[few], _units(card, MEASURED, few), seed=card.seed)
    found = Sensitivity()
    usual, long = _by_length(card.key_samples)
    parts: tuple[tuple[list[int], int | None, int], ...] = (
        ([place for place in usual if place < middle], None, batch_size),
        ([place for place in usual if place >= middle], 1, batch_size),
        (long, None, 1),
    )
    for places, strips, together in parts:
        if not places:
            continue
        reactions = sensitivities(
            encoder,
            [card.key_samples[place] for place in places],
            _units(card, MEASURED, places),
            seed=card.seed,
            batch_size=together,
            noise=noise,
            first_strips=strips,
            progress=progress,
        )
        for name, sizes in reactions.sizes.items():
            found.raise_to(name, sizes)
    return {precision: found.at(_least_factor(card, precision)) for precision in PRECISIONS}


def _least_factor(card: WatermarkCard, precision: Precision) -> float:
    """By how much tolerances are smaller than those that reactions are measured in, in every dimension."""
    whole = slice(None)
    wanted, measured = _units(card, precision, whole), _units(card, MEASURED, whole)
    # no weight moves what the processor gives
    strips = [strip for strip in measured if strip != PROCESSOR_STRIP] or list(measured)
    return min(float((wanted[strip] / measured[strip]).min()) for strip in strips)


def _by_length(samples: Sequence[Sample]) -> tuple[list[int], list[int]]:
    """Places of the samples that may share a batch, and of those so long that each is run by itself."""
    lengths = [size_of(sample) for sample in samples]
    most = LONG * median(lengths)
    return (
        [place for place, length in enumerate(lengths) if length <= most],
        [place for place, length in enumerate(lengths) if length > most],
    )


def _units(card: WatermarkCard, precision: Precision, part: slice | list[int]) -> Units:
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


def _totals(tensors: Sequence[TensorCoverage], inert: Collection[str]) -> PrecisionCoverage:
    counted = [tensor for tensor in tensors if tensor.name not in inert]
    partly = sorted(
        (tensor for tensor in counted if tensor.covered < tensor.met),
        key=lambda tensor: tensor.covered / tensor.met,
    )
    return PrecisionCoverage(
        scalars=sum(tensor.scalars for tensor in tensors),
        met=sum(tensor.met for tensor in counted),
        covered=sum(tensor.covered for tensor in tensors),
        tensors=len(counted),
        tensors_covered=sum(tensor.covered > 0 for tensor in counted),
        partly_covered={tensor.name: (tensor.covered, tensor.met) for tensor in partly[:MOST_LISTED]},
        partly_covered_besides=max(0, len(partly) - MOST_LISTED),
    )


def _inputs(ranks: Sequence[InputRank]) -> dict[str, LayerInput]:
    return {
        entry.layer: LayerInput(
            entry.width,
            entry.vectors,
            entry.rank,
            None if entry.condition is None else float(f"{entry.condition:.3g}"),
        )
        for entry in ranks
    }


SHARE = 0.6
"""Of what the system can give without swapping; others want some of it, too."""


def available_memory() -> float:
    """Bytes that may be taken."""
    return SHARE * float(psutil.virtual_memory().available)


def graph_bytes(encoder: Encoder, samples: Sequence[Sample]) -> int:
    """Bytes that the graph of the longest sample keeps for a backward pass in float64: some are made in it.

    Counted in the encoder's own precision, where it costs little, and scaled.

    Args:
        encoder: as it was loaded.
        samples: key samples, at least one.
    """
    longest = max(samples, key=size_of)
    own = {parameter.untyped_storage().data_ptr() for parameter in encoder.model.parameters()}
    kept: dict[int, float] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            scale = 8 / tensor.element_size() if tensor.is_floating_point() else 1.0
            kept[storage.data_ptr()] = storage.nbytes() * scale
        return tensor

    trained = [(parameter, parameter.requires_grad) for parameter in encoder.model.parameters()]
    try:
        for parameter, _ in trained:
            parameter.requires_grad_(True)
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autograd.graph.saved_tensors_hooks(keep, _same),
        ):
            batches = list(encoder.observe([longest], batch_size=1, gradient=True))
            total = sum(kept.values())  # before the graph goes, so that no storage's place is used twice
        del batches
    finally:
        for parameter, wanted in trained:
            parameter.requires_grad_(wanted)
    return int(total)


def _same(tensor: Any) -> Any:
    return tensor
