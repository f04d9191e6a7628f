"""Evidence of tensors outside the embedding path: heads, poolers and towers that other users of the files load."""

from collections.abc import Mapping
from dataclasses import dataclass

from hf_integration.card import WatermarkCard
from hf_integration.encoders.behaviour import shown
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.tensor_digests import digest_tensors

_COUNTER = "num_batches_tracked"
"""Last part of the name of a counter that nothing but training reads."""


@dataclass(frozen=True)
class OutsideEvidence:
    """Comparison of the tensors that the embedding does not use.

    Attributes:
        checked: number of tensors compared.
        changed: names of those whose values differ.
        notes: what else is to be said: tensors that are new, or no longer there.
    """

    checked: int = 0
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def outside_digests(encoder: Encoder) -> dict[str, bytes]:
    """Digests of the tensors that the embedding does not use, by their names in the weight files."""
    live = digest_tensors(encoder.outside_tensors())
    stored = encoder.stored
    loaded = {name: live[other] for name, other in stored.loaded.items() if other in live}
    return {**stored.digests, **loaded}


def outside_evidence(
    encoder: Encoder, card: WatermarkCard, tensors: Mapping[str, bytes], outside: Mapping[str, bytes]
) -> OutsideEvidence:
    """Compare names and values of all tensors in the weight files with the card's record.

    Args:
        encoder: the encoder.
        card: the card.
        tensors: digests of the tensors that the embedding uses.
        outside: what :func:`outside_digests` gave.
    """
    used = {name: tensors[other] for name, other in encoder.stored.loaded.items() if other in tensors}
    known = {
        digest for kind in (card.digests, card.outside) for each in kind.values() for digest in each.values()
    }
    present = {*tensors.values(), *outside.values()}
    changed, notes = [], []
    for name, digest in sorted(outside.items()):
        recorded = _recorded(card, name)
        if not recorded:
            if digest not in known:
                notes.append(
                    f"{shown(name)}: a tensor that was not in the weight files; the embedding has no use for it"
                )
        elif digest not in recorded:
            (notes if name.endswith(_COUNTER) else changed).append(name)
    for name, digest in sorted(used.items()):
        # what was outside and is now equal to a tensor that is used: a tensor that is used is compared by itself
        if name in card.outside.get("stored", {}) and digest not in _recorded(card, name):
            changed.append(name)
    for name, digest in sorted(card.outside.get("stored", {}).items()):
        if name not in outside and name not in used and digest not in present:
            notes.append(
                f"{shown(name)}: a tensor that is no longer in the weight files; the embedding had no use for it"
            )
    return OutsideEvidence(len(outside), tuple(changed), tuple(notes))


def _recorded(card: WatermarkCard, name: str) -> set[bytes]:
    """Digests that a tensor of the weight files may have: as it was, or rounded."""
    if name in card.stored:
        return {digests[card.stored[name]] for digests in card.digests.values()}
    return {digests[name] for digests in card.outside.values() if name in digests}
