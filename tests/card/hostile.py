"""Cards built to be slow to refuse, for tests (what they allocate) and benchmarks (how long they take)."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.card.editing import edit_record, edit_text


def fill(folder: Path, filling: str) -> None:
    """Stuff card.json with small JSON values."""
    edit_text(folder, '"nested": [', f'"nested": [{filling}')
    edit_text(folder, '"tolerance": ', '"tolerance": -')


def fault(folder: Path, place: str, count: int) -> None:
    """Give card.json as many faults as it may hold values."""
    faults = {f"key \0 {index}": "\x1b" for index in range(count)}

    def edit(record: dict[str, Any]) -> None:
        inner = record["behaviour"]["config.json"] if place.endswith(".json") else record[place]
        inner.update(faults)
        record["tolerance"] = -1

    edit_record(folder, edit)


DENSE: Mapping[str, Callable[[Path], None]] = {
    "millions of open lists": partial(fill, filling="[" * 8_000_000),
    "millions of empty lists": partial(fill, filling="[]," * 2_600_000),
    "empty objects": partial(fill, filling="{}," * 24_000),
    "short strings": partial(fill, filling='"a",' * 48_000),
    "objects in objects": partial(fill, filling='{"a":' * 48_000),
    "numbers": partial(fill, filling="0," * 48_000),
    "faulty libraries": partial(fault, place="libraries", count=60_000),
    "faulty behaviour": partial(fault, place="behaviour", count=60_000),
    "faulty coverage": partial(fault, place="coverage", count=19_000),
    "faulty configuration": partial(fault, place="behaviour.config.json", count=19_000),
}
"""What makes card.json slow to refuse, by name: each damages the card in a folder."""
