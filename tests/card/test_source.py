"""What a card says of the pickled files that its encoder was made of: read strictly, shown harmlessly."""

import json
from pathlib import Path
from typing import Any

import pytest

from hf_integration import WatermarkCard
from hf_integration.base.errors import CardError
from hf_integration.base.vocabulary import CARD_FILE
from hf_integration.card.source import SourceRecord
from hf_integration.report.card_summary import render_card
from tests.card.synthetic_cards import SOURCE, make_card

BAD: dict[str, Any] = {
    "text": "org/old",
    "list": [],
    "empty": {},
    "repo with an escape": {"repo": "a\x1b[2J"},
    "repo alone": {"commit": None},
    "commit alone": {"repo": None},
    "short commit": {"commit": "0" * 39},
    "upper-case commit": {"commit": "A" * 40},
    "short digest": {"files": {"pytorch_model.bin": "0" * 63}},
    "no files": {"files": {}},
    "too many files": {"files": {f"f{number}": "0" * 64 for number in range(3000)}},
    "hidden direction": {"tool": "x\u202e"},
    "long tool": {"tool": "x" * 1000},
    "no tool": {"tool": ""},
    "unknown weights": {"weights": ["other.bin"]},
    "unknown key": {"more": 1},
}


@pytest.mark.parametrize("kind", BAD)
def test_a_source_that_is_none_makes_the_card_invalid(kind: str, folder: Path) -> None:
    file = folder / CARD_FILE
    record = json.loads(file.read_text())
    changed = BAD[kind]
    record["source"] = {**record["source"], **changed} if changed and isinstance(changed, dict) else changed
    file.write_text(json.dumps(record))
    with pytest.raises(CardError, match="source") as caught:
        WatermarkCard.load(folder)
    assert str(caught.value).isprintable()


def test_it_is_read_back_and_shown(folder: Path) -> None:
    card = WatermarkCard.load(folder)
    assert card.source == SOURCE
    said = f"org/old @{SOURCE.commit}: pickled weights pytorch_model.bin sha256:{'1' * 64}"
    assert said in render_card(card)


def test_a_card_without_one_has_no_such_key(tmp_path: Path) -> None:
    make_card("image").save(tmp_path / "card")
    assert "source" not in json.loads((tmp_path / "card" / CARD_FILE).read_text())
    assert WatermarkCard.load(tmp_path / "card").source is None


def test_names_of_files_are_shown_on_one_line_however_long() -> None:
    name = "a" * 500
    long = SourceRecord(repo=None, commit=None, files={name: "0" * 64}, weights=[name], tool="x")
    assert len(str(long)) <= 301
    assert str(long).isprintable()
