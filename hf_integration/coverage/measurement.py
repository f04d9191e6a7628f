"""The coverage of a card, as the card records it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import nn

from hf_integration.authentication.references import reference_for
from hf_integration.base.memory import available_memory
from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import PROCESSOR_STRIP, Modality, Precision
from hf_integration.card import WatermarkCard
from hf_integration.card.coverage import Coverage, LayerInput, NotMeasured, PrecisionCoverage
from hf_integration.coverage.ranks import InputRank, InputRanks, see
from hf_integration.coverage.recomputing import Kept
from hf_integration.coverage.sensitivity import (
    EDIT,
    Sensitivity,
    TensorCoverage,
    Units,
    can_recompute,
    count,
    gradient_noise,
    in_float64,
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

TOGETHER: Mapping[Modality, int] = {"text": 8, "image": 8, "audio": 1}
"""Samples whose reactions are added up in one backward pass, where memory suffices. More of them understate
reactions, and spare time: derivatives by all weights are looked at less often. A recording takes so long that
this makes no difference."""

SAMPLES_IN_BOTH: Mapping[Modality, int] = {"text": 2, "image": 1, "audio": 1}
"""Samples that tell what is only rounding in a derivative; an image goes through all tensors."""

MOST_GRAPH = 1 << 30
"""Bytes that the graph of a batch may take, if that of its longest sample does not take more."""

KEPT_WHOLE = 1 << 28
"""Bytes from which layers compute again what the graph of a batch would keep of them."""

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
    passes, needed = _passes(card, encoder, room := available_memory() - held)
    if room < needed:
        return NotMeasured(samples, False, f"{(held + needed) / 1e9:.1f} GB of memory are needed")
    progress.start("coverage", 2 * samples)
    ranks = InputRanks(encoder, samples)
    measured = measure_sensitivities(
        card, encoder, thorough=thorough, passes=passes, ranks=ranks, progress=progress
    )
    inputs = _inputs(ranks.settle())
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
        layer_inputs=inputs,
    )


@dataclass(frozen=True)
class Passes:
    """How backward passes are carried out over key samples of the usual length, and over the long ones.

    Attributes:
        batch_size: of the usual ones; each long one is run by itself.
        recomputing: whether layers compute again what they dropped, of usual and of long ones.
    """

    batch_size: int
    recomputing: tuple[bool, bool] = (False, False)


def _passes(card: WatermarkCard, encoder: Encoder, room: float) -> tuple[Passes, float]:
    """What suits the memory, and the bytes that are needed at least."""
    usual, long = (
        graph_of(encoder, [card.key_samples[place] for place in places]) if places else None
        for places in _by_length(card.key_samples)
    )
    # as large as if the graph were kept whole: the more samples are added up, the more they are understated
    together = TOGETHER[encoder.modality]
    affordable = together if usual is None else int(min(room, MOST_GRAPH) // max(usual.whole, 1))
    batch_size = max(1, min(together, affordable))
    sizes = (0 if usual is None else usual.whole * batch_size, 0 if long is None else long.whole)
    wanted = [size > KEPT_WHOLE for size in sizes]
    if any(wanted) and not can_recompute(encoder, min(card.key_samples, key=size_of)):
        wanted = [False, False]
    needed = max(
        0 if kept is None else kept.recomputed if again else kept.whole
        for kept, again in zip((usual, long), wanted, strict=True)
    )
    return Passes(batch_size, (wanted[0], wanted[1])), needed


def measure_sensitivities(
    card: WatermarkCard,
    encoder: Encoder,
    *,
    thorough: int | None,
    passes: Passes | None = None,
    ranks: InputRanks | None = None,
    progress: Progress,
) -> dict[str, Sensitivity]:
    """Reactions in both precisions, over all key samples of a card.

    Args:
        card: see :func:`measure_coverage`.
        encoder: see :func:`measure_coverage`.
        thorough: see :func:`measure_coverage`.
        passes: how they are carried out; by default as suits the memory.
        ranks: are shown all key samples; those that run without padding anyway run only once.
        progress: told how far it is, twice for each key sample.
    """
    passes = passes or _passes(card, encoder, available_memory())[0]
    middle = thorough if thorough is not None else len(card.key_samples)
    few = slice(0, SAMPLES_IN_BOTH[encoder.modality])
    noise = gradient_noise(
        encoder,
        card.key_samples[few],
        _units(card, MEASURED, few),
        seed=card.seed,
        recomputing=passes.recomputing[0],
    )
    found = Sensitivity()
    usual, long = _by_length(card.key_samples)
    parts: tuple[tuple[list[int], int | None, int, bool], ...] = (
        # where endpoints cut texts is what they are for; all strips of them would take as long as the others
        (long, 1, 1, passes.recomputing[1]),
        ([place for place in usual if place >= middle], 1, passes.batch_size, passes.recomputing[0]),
        ([place for place in usual if place < middle], None, passes.batch_size, passes.recomputing[0]),
    )
    for places, strips, together, recomputing in parts:
        samples = [card.key_samples[place] for place in places]
        watching = None
        if ranks is not None and (together == 1 or not encoder.pads):
            watching = partial(ranks.watching, together=together)
        elif ranks is not None:
            see(ranks, encoder, samples, progress=progress)
        if ranks is not None and strips is None and watching is None:
            ranks.settle()  # before reactions to all weights take as much memory
        if not places:
            continue
        sensitivities(
            encoder,
            samples,
            _units(card, MEASURED, places),
            seed=card.seed,
            batch_size=together,
            noise=noise,
            first_strips=strips,
            recomputing=recomputing,
            watching=watching,
            into=found,
            progress=progress,
        )
        if watching is not None:
            progress.advance(len(samples))
    if ranks is not None:
        ranks.settle()
    # They ran in float64 before, to find the noise. They run again, as reactions to all weights and the
    # activations for ranks would take too much memory together.
    sensitivities(
        encoder,
        card.key_samples[few],
        _units(card, MEASURED, few),
        seed=card.seed,
        batch_size=1,
        noise=in_float64(noise),
        precision="float64",
        recomputing=passes.recomputing[0],
        into=found,
    )
    for name, parameter in encoder.parameters().items():
        found.sizes.setdefault(name, torch.zeros(parameter.shape, dtype=torch.bfloat16))
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


def graph_of(encoder: Encoder, samples: Sequence[Sample]) -> Kept:
    """What the graph of the longest sample keeps for a backward pass.

    Counted in the encoder's own precision, where it costs little.

    Args:
        encoder: as it was loaded.
        samples: key samples, at least one.
    """
    longest = max(samples, key=size_of)
    running = encoder.duplicate(shared=True)
    for parameter in running.parameters().values():
        parameter.requires_grad_(True)
    kept = Kept(running.model)
    with torch.inference_mode(False), torch.enable_grad(), kept.counting():
        for _ in running.observe([longest], batch_size=1, gradient=True):
            pass
    return kept
