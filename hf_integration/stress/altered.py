"""Altered copies held against a card: by the whole check, and by the watermark alone."""

from collections.abc import Callable, Sequence

import torch

from hf_integration.authentication import Authenticator, observe_sketches, reconstruct
from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.authentication.references import reference_for
from hf_integration.base.errors import EncoderError, KeySampleError
from hf_integration.base.vocabulary import Precision
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.stress.findings import Alteration
from hf_integration.tampering.families import Family, Tampering
from hf_integration.tampering.null_space import NoNullSpaceError
from hf_integration.verdict import LARGEST_ERROR, Verdict

MOST_EVIDENCE = 3


def watermark_alone(encoder: Encoder, card: WatermarkCard, precision: Precision) -> Reconstruction:
    """The watermark that an encoder reproduces; nobody asks whether its tensors are the recorded ones."""
    reference = reference_for(card, "stored", precision)
    running = encoder.at_precision(precision, weights=reference.weights, run_only=True)
    return reconstruct(
        card, reference, observe_sketches(running, card.key_samples[: reference.keys], seed=card.seed)
    )


def by_magnitude(
    family: Family, encoder: Encoder, card: WatermarkCard, precision: Precision, seeds: Sequence[int]
) -> Alteration:
    """Find the smallest magnitude that breaks the watermark, and what the whole check makes of the smallest.

    Takes for granted that a larger alteration of the same kind changes and shows more, and bisects; most
    often the smallest that changes anything is the floor already, so that one is tried first. Magnitudes
    below the rounding of the stored weights change nothing, which no check could find: they are passed over.
    """
    copies = _Copies(family, encoder, card, precision)
    try:
        smallest = _first(0, len(family.magnitudes), lambda place: copies.changes(place, seeds[0]))
    except NoNullSpaceError as error:
        return Alteration(family.name, None, (), None, None, family.unit, nothing=str(error))
    if smallest == len(family.magnitudes):
        return Alteration(
            family.name, None, (), None, None, family.unit, nothing="changes no stored number of this encoder"
        )
    verdict = _verdict(copies.altered(smallest, seeds[0]), card, precision)
    broken: dict[int, str] = {}

    def breaks(place: int) -> bool:
        strips = []
        for seed in seeds:  # up to the first that is not seen
            if not (strip := copies.first_broken_strip(place, seed)):
                return False
            strips.append(strip)
        broken[place] = strips[-1]
        return True

    floor = _first(smallest, len(family.magnitudes), breaks)
    return Alteration(
        family.name,
        verdict.status,
        _evidence(verdict),
        family.magnitudes[floor] if floor in broken else None,
        broken.get(floor),
        family.unit,
        family.magnitudes[smallest],
    )


def _first(start: int, stop: int, holds: Callable[[int], bool]) -> int:
    """The first place where something holds that holds at every later one too, or ``stop``."""
    low, high = start, stop
    while low < high:
        place = low if low == start else (low + high) // 2
        if holds(place):
            high = place
        else:
            low = place + 1
    return low


class _Copies:
    """Altered copies of one family; the last one is kept, as several questions are asked about it.

    Args:
        family: what is done to them.
        encoder: the unaltered encoder.
        card: its card.
        precision: arithmetic of the checks.
    """

    def __init__(self, family: Family, encoder: Encoder, card: WatermarkCard, precision: Precision) -> None:
        self._family, self._encoder, self._card, self._precision = family, encoder, card, precision
        self._last: tuple[tuple[int, int], Encoder] | None = None

    def altered(self, place: int, seed: int) -> Encoder:
        """The copy with one of the family's magnitudes."""
        if self._last is None or self._last[0] != (place, seed):
            self._last = None  # its memory is free for the next
            magnitude = self._family.magnitudes[place]
            self._last = (place, seed), self._family.at(magnitude, seed=seed)(self._encoder)
        return self._last[1]

    def changes(self, place: int, seed: int) -> bool:
        """Whether any stored number is another one."""
        before = self._encoder.tensors()
        after = self.altered(place, seed).tensors()
        return any(not torch.equal(tensor, before[name]) for name, tensor in after.items())

    def first_broken_strip(self, place: int, seed: int) -> str:
        """Where the watermark alone breaks, or nothing where it does not."""
        if not self.changes(place, seed):
            return ""
        strips = watermark_alone(self.altered(place, seed), self._card, self._precision).strips
        return next((strip.name for strip in strips if not strip.intact), "")


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
