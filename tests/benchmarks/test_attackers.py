"""The attackers' benchmark from end to end, on a tiny encoder and with little effort."""

import json
from pathlib import Path

import pytest

from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from tests.benchmarks import attackers
from tests.benchmarks.attackers import settings
from tests.benchmarks.subjects import Subject


@pytest.fixture
def subject(pair: tuple[Encoder, WatermarkCard], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Subject:
    """A tiny encoder, attacked with a step or two."""
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
    for name, little in (
        ("SIZES", (2, 3, 4)),
        ("FEWEST", 2),
        ("MOST", 4),
        ("PIN_WEIGHTS", (1.0, 1e3)),
        ("PIN_STEPS", (1, 2)),
        ("LAYERS", (1,)),
        ("VALUE_STEPS", 2),
        ("ROW_STEPS", (1, 2)),
        ("DESCENT_STEPS", (1, 2)),
        ("IN_HALF", set()),
        ("HELD_OUT", 2),
    ):
        monkeypatch.setattr(settings, name, little)
    folder = pair[0].path
    assert folder is not None
    return Subject("tiny", folder)


def test_every_attack_is_measured_against_both_cards(subject: Subject, tmp_path: Path) -> None:
    attackers.run(subject, tmp_path)
    rows = json.loads((tmp_path / "attackers-tiny.json").read_text())["rows"]
    assert {row["attacker"] for row in rows} == {
        "null-space edit",
        "projected descent",
        "the trigger's own row",
        "pinning by descent",
    }
    for row in rows:
        assert set(row["public"]) == set(row["private"])
        assert bool(row["failed"]) != ({"float64", "float32"} <= set(row["public"]))
    kept = {path.name: (path / "card.json").read_bytes() for path in (tmp_path / "cards/tiny").iterdir()}
    assert set(kept) == {"public2", "public3", "public4", "private4"}


def test_a_full_card_is_attacked_beside_an_unseen_full_one(subject: Subject, tmp_path: Path) -> None:
    attackers.run_full(subject, tmp_path)
    found = json.loads((tmp_path / "attackers-tiny-full.json").read_text())
    assert found["remarks"][0].startswith("--keys full")
    cards = [
        WatermarkCard.load(tmp_path / "cards" / "tiny" / f"{kind}full") for kind in ("public", "private")
    ]
    assert [card.secret for card in cards] == [False, True]
    assert not set(cards[0].key_samples) & set(cards[1].key_samples)
