"""The last day of a card: optional, a real date, kept by round trips and covered by the checksum."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hf_integration.base.errors import OutputError
from hf_integration.card import WatermarkCard
from tests.card.editing import edit_record, edit_text, refusal, set_to
from tests.card.synthetic_cards import differences, make_card


def test_a_card_without_a_last_day_has_no_such_key_and_never_expires(folder: Path) -> None:
    card = WatermarkCard.load(folder)
    assert "expires" not in json.loads((folder / "card.json").read_text())
    assert card.expires is None
    assert not card.expired(date.max)


def test_a_card_is_good_on_its_last_day_and_not_on_the_next(tmp_path: Path) -> None:
    card = replace(make_card(), expires="2030-01-31").save(tmp_path / "card")
    assert card.expires == "2030-01-31"
    assert not card.expired(date(2030, 1, 31))
    assert card.expired(date(2030, 2, 1))


def test_the_last_day_survives_round_trips(tmp_path: Path) -> None:
    card = replace(make_card(), expires="2030-01-31")
    saved = card.save(tmp_path / "card")
    again = WatermarkCard.load(tmp_path / "card").save(tmp_path / "again")
    assert differences(card, again) == []
    assert again.digest == saved.digest != make_card().save(tmp_path / "other").digest


def test_a_last_day_that_was_moved_does_not_fit_the_checksum(tmp_path: Path) -> None:
    replace(make_card(), expires="2030-01-31").save(tmp_path / "card")
    edit_text(tmp_path / "card", "2030-01-31", "2930-01-31")
    refusal(tmp_path / "card", "card.json", "checksum")


@pytest.mark.parametrize(
    "day",
    [
        "",
        "2030-02-30",
        "2030-1-31",
        "20300131",
        "2030-W05-4",
        "2030-01-31T00:00",
        "2030-01-31 ",
        "٢٠٣٠-01-31",
    ],
)
def test_what_is_no_date_is_neither_read_nor_written(folder: Path, day: str) -> None:
    edit_record(folder, set_to("expires", to=day))
    refusal(folder, "card.json", "expires")
    with pytest.raises(OutputError, match="expires"):
        replace(make_card(), expires=day).save(folder.parent / "new")


@pytest.mark.parametrize("day", [None, 20300131, ["2030-01-31"], {}])
def test_what_is_no_string_is_refused(folder: Path, day: object) -> None:
    edit_record(folder, set_to("expires", to=day))
    refusal(folder, "card.json", "expires")
