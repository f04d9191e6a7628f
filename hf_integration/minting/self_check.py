"""The self-check before a card is written: held-out benign runs must pass, simulated alterations must not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hf_integration.authentication import observe_sketches, reconstruct
from hf_integration.authentication.reconstruction import reconstruct_first
from hf_integration.base.errors import EncoderError, KeySampleError, MintingRefusedError
from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import HEAD_STRIP, Precision
from hf_integration.benign.noise import MOST_NOISE
from hf_integration.card import Reference, WatermarkCard
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.half_products import quick
from hf_integration.key_samples.samples import Sample
from hf_integration.minting.effort import verifying_keys
from hf_integration.minting.references import BenignRuns, Sketches
from hf_integration.minting.simulated import SIMULATIONS, Simulation
from hf_integration.watermark.calibration import as_mean_over

DRAWS = 5
"""Single weights that are tried until one moves anything."""

MOVED = 1e-3
"""Deviation, in tolerances, under which nothing moved but rounding."""

LEAST_MARGIN = 1.5
"""A card whose held-out benign runs come closer to the tolerance than this would raise false alarms."""


def refuse_non_finite(encoder: Encoder) -> None:
    """Refuse an encoder with weights that are no numbers: nothing it gives could be compared.

    Raises:
        EncoderError: a tensor holds NaN or an infinity.
    """
    for name, tensor in encoder.tensors().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise EncoderError(
                f"'{encoder.name}': tensor {name} holds NaN or an infinity", remedy="get a copy that is whole"
            )


def refuse_some_without_head(sketches: Sketches) -> None:
    """Refuse key samples of which a head takes some and does not take others.

    Raises:
        KeySampleError: there are some.
    """
    given = sketches.get(HEAD_STRIP)
    if given is not None and (lacking := int(given.isnan().any(1).sum())):
        raise KeySampleError(
            f"the encoder's head gives nothing for {lacking} of {len(given)} key samples",
            remedy="use longer ones, or the encoder without its head",
        )


def refuse_random(runs: BenignRuns) -> None:
    """Refuse an encoder whose benign runs differ by more than rounding explains.

    Raises:
        MintingRefusedError: they do.
    """
    for pair, benign in runs.calibration.items():
        for strip, reference in runs.references[pair].items():
            size = float(reference.norm(dim=1).median())
            largest = max(float(run[strip].norm(dim=1).max()) for run in benign)
            if not largest <= MOST_NOISE[pair[1]] * size:
                raise MintingRefusedError(
                    f"repeated runs of this encoder in {pair[1]} differ by {largest / size:.1e} at strip "
                    f"'{strip}', rounding explains {MOST_NOISE[pair[1]]:.0e}",
                    remedy="no card was written; look for dropout, randomness or hooks in the encoder",
                )


def benign_margins(card: WatermarkCard, runs: BenignRuns) -> WatermarkCard:
    """Measure each reference's margin on benign runs that calibration did not see.

    Raises:
        MintingRefusedError: a benign run comes too close to its tolerance, or beyond it.
    """
    references = []
    for reference in card.references:
        pair = (reference.weights, reference.precision)
        margins = {}
        for name, residuals in runs.held_out[pair]:
            sketches = {strip: runs.references[pair][strip].clone() for strip in card.strips}
            for strip, residual in residuals.items():
                # all keys, by repeating the run's residuals
                keys = len(sketches[strip])
                repeats = -(-keys // len(residual))
                sketches[strip] += as_mean_over(residual, keys).repeat(repeats, 1)[:keys]
            margins[name] = reconstruct(card, reference, sketches).margin
        name, margin = min(margins.items(), key=lambda item: item[1])
        if margin < LEAST_MARGIN:
            raise MintingRefusedError(
                f"benign runs of this encoder differ too much in {reference.precision}: '{name}' reached a "
                f"margin of {margin:.2f}, at least {LEAST_MARGIN} is needed",
                remedy="no card was written",
            )
        references.append(replace(reference, benign_margin=margin))
    return replace(card, references=tuple(references))


def floors(card: WatermarkCard, encoder: Encoder, operations: float, *, progress: Progress) -> dict[str, Any]:
    """Smallest simulated alteration of each kind that breaks the watermark, tensors' digests left aside.

    Args:
        card: with its references calibrated.
        encoder: the one that the card is minted for.
        operations: what one key sample takes; it decides on how many alterations are tried.
        progress: told how far it is.

    Returns:
        Precision -> kind of alteration -> smallest detected magnitude, or ``None`` when even the largest that
        was tried went unnoticed.
    """
    found: dict[str, Any] = {}
    for reference in _one_per_precision(card):
        precision: Precision = reference.precision
        # the other key samples count as untouched, which only hides edits
        some = card.key_samples[: verifying_keys(len(card.key_samples), operations, precision)]
        found[precision] = {}
        for simulation in SIMULATIONS[precision]:
            found[precision][simulation.name] = None
            for magnitude in simulation.magnitudes:
                if _detected(card, reference, encoder, some, simulation, magnitude):
                    found[precision][simulation.name] = magnitude
                progress.advance()
                if found[precision][simulation.name] is not None:
                    break
    return found


def _detected(
    card: WatermarkCard,
    reference: Reference,
    encoder: Encoder,
    some: Sequence[Sample],
    simulation: Simulation,
    magnitude: float,
) -> bool:
    """Whether one alteration of one copy breaks the watermark.

    Alterations that move nothing at all, of a weight that sees only padding or a unit that is never active,
    say nothing about the floor: up to ``DRAWS`` weights are drawn until one matters.
    """
    for draw in range(DRAWS if simulation.single else 1):
        copy = encoder.at_precision(reference.precision, weights=reference.weights, run_only=True)
        if copy is encoder:
            copy = encoder.added_on_use()
        simulation.alter(copy, magnitude, card.seed + draw)
        with quick(reference.precision):
            observed = observe_sketches(copy, some, seed=card.seed)
        found = reconstruct_first(card, reference, observed)
        if not found.intact:
            return True
        if max(strip.deviation for strip in found.strips) > MOVED:
            return False
    return False


def refuse_blind(floor: dict[str, Any]) -> None:
    """Refuse a card that noticed nothing at all in some precision.

    Raises:
        MintingRefusedError: in some precision no simulated alteration broke the watermark.
    """
    for precision, kinds in floor.items():
        if all(magnitude is None for magnitude in kinds.values()):
            raise MintingRefusedError(
                f"in {precision} this card would notice none of the simulated alterations",
                remedy="no card was written; use more key samples (--keys) or another pool (--pool)",
            )


def _one_per_precision(card: WatermarkCard) -> list[Reference]:
    chosen: dict[str, Reference] = {}
    for reference in card.references:
        chosen.setdefault(reference.precision, reference)
    return list(chosen.values())
