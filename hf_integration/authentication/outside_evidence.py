"""Evidence of tensors outside the embedding path: heads, poolers and towers that other tasks use.

Loaders of other tasks find tensors by their names, and take the longer of two that fit: a name that the card
does not know can take the place of one that it knows, whatever its values. So names are compared as well, and
a new one is believed to be a library's only where it is that of the whole file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hf_integration.base.vocabulary import HEAD_STRIP, Weights
from hf_integration.card import WatermarkCard
from hf_integration.encoders.files.support import tensors_of_class
from hf_integration.encoders.identity.behaviour import shown
from hf_integration.encoders.identity.stored_tensors import present_name, same_name
from hf_integration.encoders.identity.tensor_digests import digest_tensors
from hf_integration.encoders.interface import Encoder

Shift = tuple[str, str]
"""What comes before the common end of two names: ``bert`` and nothing, of ``bert.x.bias`` and ``x.bias``."""


@dataclass(frozen=True)
class StoredNames:
    """The names in the weight files, against those that the card recorded.

    Attributes:
        used: name in the files -> name of the tensor of the embedding that has its values.
        gone: recorded names that the files no longer have, of tensors outside the embedding path, and of
            copies of those that the embedding uses.
        strange: names whose values the embedding uses, and that can take the place of another tensor: a
            second copy, or one of a part of the file that was renamed.
        shifts: the ways in which the whole file was renamed.
    """

    used: Mapping[str, str]
    gone: frozenset[str]
    strange: tuple[str, ...]
    shifts: frozenset[Shift]

    def renamed_alike(self, old: str, new: str) -> bool:
        """Whether a tensor got another name in the way in which those of the embedding did."""
        return present_name(old) == present_name(new) or _shift(old, new) in self.shifts


def stored_names(
    encoder: Encoder, card: WatermarkCard, *, used: Collection[str], outside: Collection[str]
) -> StoredNames:
    """Compare names of tensors.

    Args:
        encoder: the encoder.
        card: the card.
        used: names of the tensors of the module that the embedding uses.
        outside: names in the weight files of those that it does not use.
    """
    in_files = {name: other for name, other in encoder.stored.loaded.items() if other in used}
    if encoder.folder is None:  # in memory a tensor has no other name than the module's
        in_files = {name: name for name in used}
    there = {*in_files, *outside}
    recorded = card.stored or {name: name for name in card.digests["stored"]}  # minted of a module in memory
    unknown: dict[str, list[str]] = {}
    for name, other in in_files.items():
        if name not in recorded and name not in card.outside.get("stored", ()):
            unknown.setdefault(other, []).append(name)
    before: dict[str, list[str]] = {}
    for name, other in recorded.items():
        before.setdefault(other, []).append(name)
    strange: list[str] = []
    renamed: dict[str, Shift] = {}
    for other, names in unknown.items():
        old = before.get(other, [])
        if any(name in there for name in old):
            strange += names
            continue
        new = next((name for name in names if same_name(name, other)), names[0])
        strange += [name for name in names if name != new]
        if old and present_name(old[0]) != present_name(new):
            renamed[new] = _shift(old[0], new)
    kept = [name for name in recorded if name in there]
    copies = [name for names in before.values() if not there.isdisjoint(names) for name in names]
    partly = {shift for shift in set(renamed.values()) if any(_applies(shift, name) for name in kept)}
    if encoder.folder is None:  # some are renamed by the library as it loads, and nothing else names them
        partly = set()
    strange += [name for name, shift in renamed.items() if shift in partly]
    return StoredNames(
        used=in_files,
        gone=frozenset(name for name in (*card.outside.get("stored", ()), *copies) if name not in there),
        strange=tuple(strange),
        shifts=frozenset(set(renamed.values()) - partly),
    )


def _shift(old: str, new: str) -> Shift:
    one, other = present_name(old).split("."), present_name(new).split(".")
    while one and other and one[-1] == other[-1]:
        one.pop()
        other.pop()
    return ".".join(one), ".".join(other)


def _applies(shift: Shift, name: str) -> bool:
    """Whether a tensor that kept its name would have been renamed with the others."""
    return not shift[0] or f"{name}.".startswith(f"{shift[0]}.")


_COUNTER = "num_batches_tracked"
"""Last part of the name of a counter that nothing but training reads."""

_COMPUTED = (_COUNTER, "position_ids", "token_type_ids", "inv_freq")
"""Last parts of names that older releases stored and every release computes by itself."""


@dataclass(frozen=True)
class OutsideEvidence:
    """Comparison of the tensors that the embedding does not use.

    Attributes:
        checked: number of tensors compared.
        changed: names of those whose values differ, that were added, or that were removed.
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
    before = _by_value(card, names)
    for name, digest in sorted(outside.items()):
        if recorded := _recorded(card, name):
            if digest not in recorded.values():
                (notes if _last(name) == _COUNTER else changed).append(name)
            elif digest != recorded["stored"] and not casts & {w for w, d in recorded.items() if d == digest}:
                if HEAD_STRIP in card.strips and not encoder.headless:  # what a head gives is vouched for
                    changed.append(name)
                else:
                    notes.append(f"{shown(name)}: rounded, unlike the rest; the embedding does not use it")
        elif old := next((o for o in before.get(digest, ()) if names.renamed_alike(o, name)), None):
            moved.add(old)
        elif _last(name) in _COMPUTED or _is_new_in_the_module(encoder, card, name):
            notes.append(f"{shown(name)}: a new tensor in the weight files, which the embedding does not use")
        else:
            changed.append(name)
    for name, other in sorted(names.used.items()):
        # a tensor that is used is compared by itself; another one may have been given the same values
        recorded = {} if card.stored.get(name) == other else _recorded(card, name)
        if recorded and tensors[other] not in recorded.values():
            changed.append(name)
    kept = {digest for name, digest in outside.items() if _recorded(card, name)}  # no new name is a copy
    lost, left = _gone(encoder, card, names.gone - moved, present={*tensors.values(), *kept})
    changed, notes = [*changed, *lost], [*notes, *left]
    return OutsideEvidence(len(outside), tuple(dict.fromkeys(changed)), tuple(notes))


def _gone(
    encoder: Encoder, card: WatermarkCard, gone: Collection[str], *, present: Collection[bytes]
) -> tuple[list[str], list[str]]:
    """Names that a loader misses, and notes of the others."""
    lost, notes = [], []
    loaded = _loaded_by_name(encoder, card) if gone else frozenset()
    for name in sorted(gone):
        said = f"{shown(name)}: no longer in the weight files"
        if not set(_recorded(card, name).values()).isdisjoint(present):
            notes.append(f"{said}, where another tensor has its values")
        elif _last(name) in _COMPUTED or (loaded is not None and not any(same_name(name, n) for n in loaded)):
            notes.append(f"{said}; the embedding did not use it")
        else:
            lost.append(name)
    return lost, notes


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


def _by_value(card: WatermarkCard, names: StoredNames) -> dict[bytes, list[str]]:
    """Names that are gone, by the digests that their tensors may have."""
    found: dict[bytes, list[str]] = {}
    for name in sorted(names.gone):
        for digest in _recorded(card, name).values():
            found.setdefault(digest, []).append(name)
    return found


def _is_new_in_the_module(encoder: Encoder, card: WatermarkCard, name: str) -> bool:
    """Whether the library has a place for a tensor that was made of random numbers at every load before."""
    place = encoder.stored.loaded.get(name)
    if place is None or not same_name(name, place):
        return False
    return not any(same_name(known, place) for known in (*card.stored, *card.outside.get("stored", ())))


def _loaded_by_name(encoder: Encoder, card: WatermarkCard) -> frozenset[str] | None:
    """Tensors of the classes that a folder names, as before: what it lacks of them, a loader makes at random.

    Returns:
        Their names; ``None`` where they are not known.
    """
    if encoder.folder is None:
        return frozenset()  # a module in memory is what it is
    now, then = (record.files.get("config.json", {}) for record in (encoder.folder, card.folder))
    if not then or now.get("architectures") != then.get("architectures"):
        return frozenset()
    found = [
        tensors_of_class(encoder.stored.files[0].parent, str(kind)) for kind in now.get("architectures") or ()
    ]
    return None if None in found or not found else frozenset().union(*(names for names in found if names))


def _last(name: str) -> str:
    return name.rpartition(".")[2]
