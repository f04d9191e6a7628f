"""What differs between two watermark cards: the encoders they were minted from, and what they promise."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hf_integration.base.errors import FlawError
from hf_integration.card import WatermarkCard
from hf_integration.card.contents import pack
from hf_integration.encoders.identity.behaviour import shown_change
from hf_integration.report.card_summary import card_summary

_SAID_ELSEWHERE = frozenset({"schema", "digest", "location", "bytes", "files", "outside", "not_covered"})
"""Keys of a card's summary that are no facts of their own, or are compared by what is behind them."""

ABSENT = "none"
DIFFERS = "other values"


@dataclass(frozen=True)
class CardChanges:
    """What differs; everything is empty for two cards of the same encoder that promise the same.

    Attributes:
        tensors: ``name: other values``, ``name: new`` or ``name: gone``, in the order of the weights.
        settings: the same of files beside the weights: ``file: key: old -> new``.
        facts: name of a fact -> what the first card says and what the second one says.
    """

    tensors: tuple[str, ...]
    settings: tuple[str, ...]
    facts: Mapping[str, tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        facts = [{"fact": name, "old": old, "new": new} for name, (old, new) in self.facts.items()]
        return {"tensors": list(self.tensors), "settings": list(self.settings), "facts": facts}


def card_changes(before: WatermarkCard, after: WatermarkCard) -> CardChanges:
    """Compare two cards, key by key, digest by digest, and fact by fact.

    Args:
        before: the card that is relied on.
        after: the card that would be.
    """
    old, new = _tensors(before), _tensors(after)
    tensors = [f"{name}: {how}" for name, how in _compared(old, new)]
    behaviour = before.behaviour.differences_to(after.behaviour)
    shown = {file for file, _ in behaviour}
    settings = [*behaviour.values()]
    for file, how in _compared(before.folder.files, after.folder.files):
        if how != DIFFERS:
            settings.append(f"{file}: {how}")
        elif file not in shown:
            was, is_now = before.folder.files[file], after.folder.files[file]
            settings += [f"{file}: {_change(key, was, is_now)}" for key, _ in _compared(was, is_now)]
    settings += [f"new beside the encoder, not covered: {name}" for name in _gone(after, before)]
    settings += [f"no longer beside the encoder: {name}" for name in _gone(before, after)]
    said, says = ({**dict(_flat(_facts(card))), **_contents(card)} for card in (before, after))
    facts = {
        name: (said.get(name, ABSENT), says.get(name, ABSENT))
        for name in (*said, *(name for name in says if name not in said))
        if said.get(name) != says.get(name)
    }
    return CardChanges(tuple(tensors), tuple(settings), facts)


def _tensors(card: WatermarkCard) -> dict[str, bytes]:
    """Every tensor whose digest a card holds, the embedding's own and those beside it."""
    beside = card.outside.get("stored", {})
    return {**card.digests.get("stored", {}), **{f"{name} (not used)": said for name, said in beside.items()}}


def _compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of what is in either, and how it differs."""
    for name in (*old, *(name for name in new if name not in old)):
        if name not in new:
            yield name, "gone"
        elif name not in old:
            yield name, "new"
        elif old[name] != new[name]:
            yield name, DIFFERS


def _change(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return shown_change(key, old.get(key, object()), new.get(key, object()))


def _gone(one: WatermarkCard, other: WatermarkCard) -> list[str]:
    kept = set(other.folder.unread())
    return [name for name in one.folder.unread() if name not in kept]


def _facts(card: WatermarkCard) -> dict[str, Any]:
    return {key: value for key, value in card_summary(card).items() if key not in _SAID_ELSEWHERE}


def _contents(card: WatermarkCard) -> dict[str, str]:
    """A digest of everything that a card is made of and that no fact shows: samples, sketches, answers."""
    try:
        _, tensors = pack(card)
    except FlawError as flaw:
        return {"contents": f"not of one piece: {flaw.field} {flaw.reason}"}
    return {
        f"contents: {name}": "sha256:"
        + hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()[:16]
        for name, values in tensors.items()
    }


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of nested ones, as text; members of a list are called by the words in them."""
    parts: Iterable[tuple[str, Any]]
    if isinstance(value, Mapping):
        parts = ((str(name), part) for name, part in value.items())
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        parts = ((_called(part, place), part) for place, part in enumerate(value, 1))
    else:
        yield prefix, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        return
    for name, part in parts:
        yield from _flat(part, f"{prefix}: {name}" if prefix else name)


def _called(part: Any, place: int) -> str:
    words = part.values() if isinstance(part, Mapping) else ()
    names = [word if isinstance(word, str) else ", ".join(word) for word in words if _is_name(word)]
    return " ".join(names) or str(place)


def _is_name(word: Any) -> bool:
    return isinstance(word, str) or (isinstance(word, list) and all(isinstance(part, str) for part in word))
