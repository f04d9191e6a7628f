"""Evidence besides the watermark: digests of the loaded tensors."""

from collections.abc import Mapping

from hf_integration.card import WatermarkCard
from hf_integration.encoders.interface import Encoder, Weights
from hf_integration.encoders.tensor_digests import digest_tensors
from hf_integration.verdict import TensorEvidence


def loaded_digests(encoder: Encoder) -> dict[str, bytes]:
    """Digests of the loaded tensors by name; none for an encoder that can only be queried."""
    return digest_tensors(encoder.tensors()) if encoder.has_weights else {}


def tensor_evidence(encoder: Encoder, card: WatermarkCard) -> TensorEvidence:
    """Compare the values of the loaded tensors with those that the card recorded."""
    return compared_digests(encoder, card, loaded_digests(encoder))


def compared_digests(encoder: Encoder, card: WatermarkCard, found: Mapping[str, bytes]) -> TensorEvidence:
    """Compare digests of loaded tensors with those that the card recorded.

    Values are compared, not bytes of files: another file layout, other names chosen by the library or a
    recorded cast to half precision are the same encoder. When nothing matches, the differences to the
    closest recorded weights are reported.

    Args:
        encoder: the encoder that was loaded.
        card: the card.
        found: what :func:`loaded_digests` gave of the encoder.
    """
    if not encoder.has_weights:
        return TensorEvidence(checked=0)
    compared = {weights: _compare(found, recorded) for weights, recorded in card.digests.items()}
    for weights, evidence in compared.items():
        if not (evidence.changed or evidence.missing or evidence.unexpected):
            return TensorEvidence(checked=len(found), matches=weights)
    return min(compared.values(), key=lambda evidence: len(evidence.changed))


def _compare(found: Mapping[str, bytes], recorded: Mapping[str, bytes]) -> TensorEvidence:
    return TensorEvidence(
        checked=len(found),
        changed=tuple(name for name in found if name in recorded and found[name] != recorded[name]),
        missing=tuple(name for name in recorded if name not in found),
        unexpected=tuple(name for name in found if name not in recorded),
    )


def weights_of(encoder: Encoder, card: WatermarkCard, tensors: TensorEvidence) -> Weights:
    """Which recorded weights this encoder claims to hold.

    A match of digests decides. Without one (an altered encoder, or no tensors at hand) the dtype does: an
    altered float16 copy is held against the float16 cast, so that only the alteration shows.
    """
    if tensors.matches is not None:
        return tensors.matches  # type: ignore[return-value]  # a key of card.digests
    dtype = encoder.description.stored_dtype
    if dtype != card.encoder.stored_dtype and dtype in ("float16", "bfloat16"):
        return dtype  # type: ignore[return-value]  # narrowed by the membership test
    return "stored"
