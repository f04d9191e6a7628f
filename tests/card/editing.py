"""Cards damaged on purpose, with the digests put right where the damage shall get past them."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from hf_integration.base.checksum import FIELD, checksum
from hf_integration.base.errors import CardError
from hf_integration.card import WatermarkCard

CARD, TENSORS, PICTURE = "card.json", "card.safetensors", "watermark.png"


def edit_record(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the content of card.json, checksum included."""
    record = json.loads((folder / CARD).read_text())
    edit(record)
    with suppress(ValueError, TypeError):  # NaN, or no record any more
        record[FIELD] = record.get(FIELD) and checksum(record)
    (folder / CARD).write_text(json.dumps(record))


def edit_text(folder: Path, old: str, new: str) -> None:
    """Change the text of card.json, which then need not be JSON."""
    text = (folder / CARD).read_text()
    assert text.count(old) >= 1
    (folder / CARD).write_text(text.replace(old, new, 1))


def replace_file(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and let card.json vouch for it."""
    (folder / name).write_bytes(data)

    def vouch(record: dict[str, Any]) -> None:
        record["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    edit_record(folder, vouch)


def edit_tensors(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change tensors and let card.json vouch for them."""
    tensors = load((folder / TENSORS).read_bytes())
    edit(tensors)
    replace_file(folder, TENSORS, save(tensors))


def edit_header(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the header of card.safetensors, keep its data, and let card.json vouch for the file."""
    data = (folder / TENSORS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    replace_file(folder, TENSORS, len(text).to_bytes(8, "little") + text + data[8 + length :])


def set_to(*path: str | int, to: object) -> Callable[[Any], None]:
    """An edit that sets one value deep in a record."""

    def edit(record: Any) -> None:
        for step in path[:-1]:
            record = record[step]
        record[path[-1]] = to

    return edit


def refusal(folder: Path, file: str, *parts: str) -> CardError:
    """The error of loading the card, once it is known to be one clear line about that file."""
    with pytest.raises(CardError) as caught:
        WatermarkCard.load(folder)
    message = str(caught.value)
    assert caught.value.exit_status == 4
    assert caught.value.file == str(folder / file)
    assert message.isprintable()
    assert len(message) < 1000
    for part in (str(folder / file), *parts):
        assert part in message
    return caught.value
