"""Evidence of tensors outside the embedding path: heads, poolers and towers that other tasks use.

Loaders of other tasks find tensors by their names, and take the longer of two that fit: a name that the card
does not know can take the place of one that it knows, whatever its values. So names are compared as well, and
a new one is believed to be a library's only where it is that of the whole file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hf_integration.authentication.stored_names import StoredNames, stored_names
from hf_integration.card import WatermarkCard
from hf_integration.encoders.behaviour import shown
from hf_integration.encoders.identity.stored_tensors import same_name
from hf_integration.encoders.interface import Encoder, Weights
from hf_integration.encoders.tensor_digests import digest_tensors

_COUNTER = "num_batches_tracked"
"""Last part of the name of a counter that nothing but training reads."""

_COMPUTED = (_COUNTER, "position_ids", "token_type_ids", "inv_freq")
"""Last parts of names that older releases stored and every release computes by itself."""


@dataclass(frozen=True)
class OutsideEvidence:
    """Comparison of the tensors that the embedding does not use.

    Attributes:
        checked: number of tensors compared.
        changed: names of those whose values differ, that are new, or that are gone.
        notes: what else is to be said: tensors that are new or gone, where no other task can miss them.
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
    names = stored_names(encoder, card, used=tensors, outside=outside)
    changed: list[str] = list(names.strange)
    notes: list[str] = []
    moved: set[str] = set()
    casts = _casts_of(card, tensors)
    for name, digest in sorted(outside.items()):
        if recorded := _recorded(card, name):
            if digest not in recorded.values():
                (notes if _last(name) == _COUNTER else changed).append(name)
            elif digest != recorded["stored"] and not casts & {w for w, d in recorded.items() if d == digest}:
                notes.append(f"{shown(name)}: rounded, unlike the rest; the embedding does not use it")
        elif before := _before(card, names, name, digest):
            moved.add(before)
        elif _last(name) in _COMPUTED or _is_new_in_the_module(encoder, card, name):
            notes.append(f"{shown(name)}: a new tensor in the weight files, which the embedding does not use")
        else:
            changed.append(name)
    for name, other in sorted(names.used.items()):
        # a tensor that is used is compared by itself; another one may have been given the same values
        recorded = {} if card.stored.get(name) == other else _recorded(card, name)
        if recorded and tensors[other] not in recorded.values():
            changed.append(name)
    for name in sorted(names.gone - moved):
        if _last(name) not in _COMPUTED and _still_loaded(encoder, card):
            changed.append(name)
        else:
            notes.append(f"{shown(name)}: no longer in the weight files; the embedding did not use it")
    return OutsideEvidence(len(outside), tuple(dict.fromkeys(changed)), tuple(notes))


def _recorded(card: WatermarkCard, name: str) -> dict[Weights, bytes]:
    """Digests that a tensor of the weight files may have: as it was stored, or rounded."""
    if name in card.stored:
        return {weights: digests[card.stored[name]] for weights, digests in card.digests.items()}
    return {weights: digests[name] for weights, digests in card.outside.items() if name in digests}


def _casts_of(card: WatermarkCard, tensors: Mapping[str, bytes]) -> set[Weights]:
    """The recorded casts that tensors of the embedding were rounded to."""
    stored = card.digests["stored"]
    return {
        weights
        for weights, digests in card.digests.items()
        if any(tensors.get(name) == digest != stored[name] for name, digest in digests.items())
    }


def _before(card: WatermarkCard, names: StoredNames, name: str, digest: bytes) -> str | None:
    """What the card calls a tensor that was renamed with the whole file, if it was."""
    for old in sorted(names.gone):
        if digest in _recorded(card, old).values() and names.renamed_alike(old, name):
            return old
    return None


def _is_new_in_the_module(encoder: Encoder, card: WatermarkCard, name: str) -> bool:
    """Whether the library has a place for a tensor that was made of random numbers at every load before."""
    place = encoder.stored.loaded.get(name)
    if place is None or not same_name(name, place):
        return False
    return not any(same_name(known, place) for known in (*card.stored, *card.outside.get("stored", ())))


def _still_loaded(encoder: Encoder, card: WatermarkCard) -> bool:
    """Whether the folder still names the class that had the tensors: it would make random ones now."""
    if encoder.folder is None:
        return False  # a module in memory is what it is
    now, then = (record.files.get("config.json", {}) for record in (encoder.folder, card.folder))
    return bool(then) and now.get("architectures") == then.get("architectures")


def _last(name: str) -> str:
    return name.rpartition(".")[2]
