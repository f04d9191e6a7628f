"""Save, mutate, load: whatever the mutation, the outcome is a CardError or a card, and never another card
under the same identity."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import CardError
from hf_integration.base.vocabulary import Modality, Motif
from hf_integration.card import WatermarkCard
from tests.card.editing import CARD, PICTURE, TENSORS, edit_record, replace_file
from tests.card.synthetic_cards import differences, make_card

HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**63,
    10**30,
    1e-300,
    -0.5,
    "",
    "\x1b[2J",
    "a" * 600,
    [],
    [[]],
    {},
    {"a": 1},
]


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut, repeat, overwrite."""
    place = chance.randrange(len(data))
    length = chance.choice([1, 1, 2, 8, 64])
    match chance.randrange(5):
        case 0:
            return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        case 1:
            return data[:place]
        case 2:
            return data[:place] + data[place : place + length] * 2 + data[place + length :]
        case 3:
            return data[:place] + chance.choice([b"\0", b"\xff"]) * length + data[place + length :]
        case _:
            return data[:place] + data[place + length :]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values, containers too."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            found += leaves(value[key], (*path, key))
    return found


def mutate_record(record: dict[str, Any], chance: random.Random) -> None:
    """Replace, remove, or swap values."""

    def holder(path: tuple[Any, ...]) -> Any:
        value: Any = record
        for step in path[:-1]:
            value = value[step]
        return value

    paths = leaves(record)
    one, other = chance.choice(paths), chance.choice(paths)
    match chance.randrange(3):
        case 0:
            holder(one)[one[-1]] = chance.choice(HOSTILE)
        case 1:
            del holder(one)[one[-1]]
        case _:
            if one[: len(other)] != other and other[: len(one)] != one:
                a, b = holder(one), holder(other)
                a[one[-1]], b[other[-1]] = b[other[-1]], a[one[-1]]


def raw(folder: Path, chance: random.Random) -> None:
    name = chance.choice([CARD, TENSORS, PICTURE])
    (folder / name).write_bytes(mutate_bytes((folder / name).read_bytes(), chance))


def rehashed(folder: Path, chance: random.Random) -> None:
    name = chance.choice([TENSORS, TENSORS, TENSORS, PICTURE])
    replace_file(folder, name, mutate_bytes((folder / name).read_bytes(), chance) or b"\0")


def rehashed_header(folder: Path, chance: random.Random) -> None:
    data = (folder / TENSORS).read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    replace_file(folder, TENSORS, mutate_bytes(data[:length], chance) + data[length:])


def rewritten(folder: Path, chance: random.Random) -> None:
    edit_record(folder, lambda record: mutate_record(record, chance))


def rewritten_header(folder: Path, chance: random.Random) -> None:
    data = (folder / TENSORS).read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:length])
    mutate_record(header, chance)
    text = json.dumps(header).encode()
    replace_file(folder, TENSORS, len(text).to_bytes(8, "little") + text + data[length:])


def outcome(folder: Path) -> WatermarkCard | CardError:
    try:
        return WatermarkCard.load(folder)
    except CardError as error:
        return error


@pytest.mark.parametrize(
    ("modality", "motif"),
    [("text", "picture"), ("image", "picture"), ("image", "samples"), ("audio", "picture")],
)
@pytest.mark.parametrize("mutation", [raw, rehashed, rehashed_header, rewritten, rewritten_header])
def test_any_mutation_is_refused_or_is_a_card(
    mutation: Callable[[Path, random.Random], None], modality: Modality, motif: Motif, tmp_path: Path
) -> None:
    saved = make_card(modality, keys=2, strips=1, motif=motif).save(tmp_path / "pristine")
    folder = tmp_path / "mutated"
    refused = 0
    for seed in range(30):
        shutil.copytree(tmp_path / "pristine", folder)
        mutation(folder, random.Random(f"{modality} {mutation.__name__} {seed}"))  # noqa: S311  # not for secrets
        found = outcome(folder)
        if isinstance(found, CardError):
            refused += 1
            assert str(found).isprintable()
        elif found.digest == saved.digest:
            assert differences(found, saved) == []
        shutil.rmtree(folder)
    assert refused >= 8
