"""Evidence of tensors outside the embedding path: heads, poolers and towers that other tasks use."""

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
    kinds = (*card.digests.values(), *card.outside.values())
    known = {digest for digests in kinds for digest in digests.values()}
    present = {*tensors.values(), *outside.values()}
    changed: list[str] = []
    notes: list[str] = []
    for name, digest in sorted(outside.items()):
        recorded = _recorded(card, name)
        if recorded and digest not in recorded:
            (notes if name.endswith(_COUNTER) else changed).append(name)
        elif not recorded and digest not in known:
            notes.append(f"{shown(name)}: a new tensor in the weight files, which the embedding does not use")
    for name, digest in sorted(used.items()):
        # a tensor that is used is compared by itself; another one may have been given the same values
        itself = card.stored.get(name) == encoder.stored.loaded[name]
        if not itself and (recorded := _recorded(card, name)) and digest not in recorded:
            changed.append(name)
    for name, digest in sorted(card.outside.get("stored", {}).items()):
        if name not in outside and name not in used and digest not in present:
            notes.append(f"{shown(name)}: no longer in the weight files; the embedding did not use it")
    return OutsideEvidence(len(outside), tuple(changed), tuple(notes))


def _recorded(card: WatermarkCard, name: str) -> set[bytes]:
    """Digests that a tensor of the weight files may have: as it was, or rounded."""
    if name in card.stored:
        return {digests[card.stored[name]] for digests in card.digests.values()}
    return {digests[name] for digests in card.outside.values() if name in digests}
