"""Evidence besides the watermark: digests of the loaded tensors."""

from collections.abc import Iterable, Mapping

from hf_integration.card import WatermarkCard
from hf_integration.encoders.interface import Encoder, Weights, weights_in
from hf_integration.encoders.tensor_digests import digest_tensors
from hf_integration.verdict import TensorEvidence
from hf_integration.verdict.value import MIXED

Fits = Mapping[str, frozenset[Weights]]
"""Tensor -> the recorded weights that it equals: several where rounding changes nothing, as of ones."""


def loaded_digests(encoder: Encoder) -> dict[str, bytes]:
    """Digests of the loaded tensors by name; none for an encoder that can only be queried."""
    return digest_tensors(encoder.tensors()) if encoder.has_weights else {}


def tensor_evidence(encoder: Encoder, card: WatermarkCard) -> TensorEvidence:
    """Compare the values of the loaded tensors with those that the card recorded."""
    return compared_digests(encoder, card, loaded_digests(encoder))


def compared_digests(encoder: Encoder, card: WatermarkCard, found: Mapping[str, bytes]) -> TensorEvidence:
    """Compare digests of loaded tensors with those that the card recorded.

    Values are compared, not bytes of files: another file layout, other names chosen by the library or a
    recorded cast to half precision are the same encoder. Each tensor is judged alone: copies in half
    precision often keep some, such as norms, as they were.

    Args:
        encoder: the encoder that was loaded.
        card: the card.
        found: what :func:`loaded_digests` gave of the encoder.
    """
    if not encoder.has_weights:
        return TensorEvidence(checked=0)
    stored, fits = card.digests["stored"], _fits(card, found)
    changed = tuple(name for name, fitting in fits.items() if not fitting)
    missing = tuple(name for name in stored if name not in found)
    unexpected = tuple(name for name in found if name not in stored)
    if changed or missing or unexpected:
        return TensorEvidence(len(found), changed, missing, unexpected)
    matches = _explaining(fits, ["stored", *_casts(card, fits)])
    kept = sum(matches not in fitting for fitting in fits.values()) if matches else 0
    return TensorEvidence(checked=len(found), matches=matches or MIXED, kept=kept)


def weights_of(encoder: Encoder, card: WatermarkCard, found: Mapping[str, bytes]) -> Weights:
    """Which recorded weights this encoder claims to hold, whole or in part.

    The tensors that match something decide, and where they leave it open the dtype does: an altered float16
    copy is held against the float16 cast, so that only the alteration shows.

    Args:
        encoder: the encoder that was loaded.
        card: the card.
        found: what :func:`loaded_digests` gave of the encoder.
    """
    loaded, fits = weights_in(encoder.description.stored_dtype), _fits(card, found)
    claimed: Weights = loaded if loaded in card.digests else "stored"
    return _explaining(fits, [claimed, "stored", *_casts(card, fits)]) or claimed


def _fits(card: WatermarkCard, found: Mapping[str, bytes]) -> Fits:
    return {
        name: frozenset(weights for weights, recorded in card.digests.items() if recorded[name] == digest)
        for name, digest in found.items()
        if name in card.digests["stored"]
    }


def _casts(card: WatermarkCard, fits: Fits) -> list[Weights]:
    """The recorded casts, first the one that most tensors are rounded to."""
    casts = [weights for weights in card.digests if weights != "stored"]
    return sorted(casts, key=lambda cast: sum(cast not in fitting for fitting in fits.values()))


def _explaining(fits: Fits, candidates: Iterable[Weights]) -> Weights | None:
    """The first weights that all tensors which match anything hold: rounded so, or as they were stored."""
    matching = [fitting for fitting in fits.values() if fitting]
    return next((cast for cast in candidates if all({cast, "stored"} & fit for fit in matching)), None)
