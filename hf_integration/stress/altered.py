"""Altered copies held against a card: by the whole check, and by the watermark alone."""

from collections.abc import Sequence

import torch

from hf_integration.authentication import Authenticator, observe_sketches, reconstruct
from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.authentication.references import reference_for
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder, Precision
from hf_integration.errors import EncoderError, KeySampleError
from hf_integration.stress.findings import Alteration
from hf_integration.tampering.interface import Family, Tampering
from hf_integration.verdict import Verdict
from hf_integration.verdict.value import LARGEST_ERROR

MOST_EVIDENCE = 3


def watermark_alone(encoder: Encoder, card: WatermarkCard, precision: Precision) -> Reconstruction:
    """The watermark that an encoder reproduces; nobody asks whether its tensors are the recorded ones."""
    reference = reference_for(card, "stored", precision)
    running = encoder.at_precision(precision, weights=reference.weights, run_only=True)
    return reconstruct(card, reference, observe_sketches(running, card.key_samples, seed=card.seed))


def by_magnitude(
    family: Family, encoder: Encoder, card: WatermarkCard, precision: Precision, seeds: Sequence[int]
) -> Alteration:
    """Find the smallest magnitude that breaks the watermark, and what the whole check makes of the smallest.

    Takes for granted that a larger alteration of the same kind shows more, and bisects.
    """
    broken: dict[int, str] = {}

    def breaks(place: int) -> bool:
        first = ""
        for seed in seeds:
            altered = family.at(family.magnitudes[place], seed=seed)(encoder)
            strips = watermark_alone(altered, card, precision).strips
            first = next((strip.name for strip in strips if not strip.intact), "")
            if not first:
                return False
        broken[place] = first
        return True

    low, high = 0, len(family.magnitudes)
    while low < high:
        middle = (low + high) // 2
        if breaks(middle):
            high = middle
        else:
            low = middle + 1
    verdict = _verdict(_smallest(family, encoder, seeds[0]), card, precision)
    return Alteration(
        family.name,
        verdict.status,
        _evidence(verdict),
        family.magnitudes[low] if low in broken else None,
        broken.get(low),
        family.unit,
    )


def _smallest(family: Family, encoder: Encoder, seed: int) -> Encoder:
    """A copy with the smallest alteration that changes anything: a small share of few weights is none."""
    before = encoder.tensors()
    altered = encoder
    for magnitude in family.magnitudes:
        altered = family.at(magnitude, seed=seed)(encoder)
        if any(not torch.equal(tensor, before[name]) for name, tensor in altered.tensors().items()):
            break
    return altered


def of_one_size(
    tampering: Tampering, encoder: Encoder, card: WatermarkCard, precision: Precision
) -> Alteration:
    """What the whole check makes of an alteration that leaves the weights as they are."""
    try:
        altered = tampering(encoder)
        verdict = _verdict(altered, card, precision)
    except (EncoderError, KeySampleError) as error:  # refused on the way; a full disk is no detection
        return Alteration(tampering.name, None, (str(error),), None, None)
    compared = any(strip.error < LARGEST_ERROR for strip in verdict.strips)
    strip = verdict.first_broken_strip if compared else None
    return Alteration(tampering.name, verdict.status, _evidence(verdict), 1.0 if strip else None, strip)


def _verdict(altered: Encoder, card: WatermarkCard, precision: Precision) -> Verdict:
    authenticator = Authenticator(card=card, precision=precision, trust="local")
    return authenticator.authenticate(altered).verdict


def _evidence(verdict: Verdict) -> tuple[str, ...]:
    tensors = verdict.tensors
    names = (*verdict.files.changed, *tensors.changed, *tensors.missing, *tensors.unexpected)
    more = (f"and {len(names) - MOST_EVIDENCE} more",) if len(names) > MOST_EVIDENCE else ()
    if names:
        return (*names[:MOST_EVIDENCE], *more)
    return (verdict.reason,) if not verdict.authentic else ()
