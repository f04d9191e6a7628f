"""Edits of ``card.json`` that leave it a card."""

import json
from pathlib import Path

import pytest

from hf_integration.base.errors import CardError
from hf_integration.card import WatermarkCard
from tests.card.editing import CARD, edit_record


@pytest.mark.parametrize("number", ["created", "tolerance", "seed"])
def test_an_edited_value_is_noticed_whatever_it_is(folder: Path, number: str) -> None:
    record = json.loads((folder / CARD).read_text())
    other = {"created": "2001-02-03T04:05:06Z", "tolerance": record["tolerance"] * 1.01, "seed": 7}
    record[number] = other[number]
    (folder / CARD).write_text(json.dumps(record))
    with pytest.raises(CardError, match="checksum: does not fit"):
        WatermarkCard.load(folder)


def test_another_layout_of_the_same_values_is_the_same_card(folder: Path) -> None:
    record = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(dict(reversed(record.items()))))
    WatermarkCard.load(folder)


@pytest.mark.parametrize("tolerance", [1.0, 9.3, 1e300])
def test_a_tolerance_that_noise_would_pass_is_refused(folder: Path, tolerance: float) -> None:
    edit_record(folder, lambda record: record.update(tolerance=tolerance))
    with pytest.raises(CardError, match="tolerance"):
        WatermarkCard.load(folder)
