"""Names of tensors in weight files: those the card knows, those a library gave anew, and strange ones."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hf_integration.card import WatermarkCard
from hf_integration.encoders.identity.stored_tensors import present_name, same_name
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
