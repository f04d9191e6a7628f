"""What a card says about itself."""

import json
from dataclasses import replace
from pathlib import Path

from hf_integration.base.strict_json import strict_json
from hf_integration.card.coverage import LayerInput
from hf_integration.key_samples import KeySamples
from hf_integration.report.card_summary import card_bytes, card_summary, render_card
from tests.card.synthetic_cards import COVERAGE, make_card

TOTALS = COVERAGE.precisions["float64"]


def test_a_saved_card_shows_its_identity_and_size(tmp_path: Path) -> None:
    card = make_card().save(tmp_path / "card")
    size = sum(file.stat().st_size for file in (tmp_path / "card").iterdir())
    text = render_card(card)
    assert card.digest in text
    assert str(tmp_path / "card") in text
    assert card_bytes(card) == size
    assert f"{size / 1e6:.2f} MB" in text


def test_margins_and_floors_are_shown() -> None:
    lines = [line.split() for line in render_card(make_card()).splitlines()]
    assert ["weights", "as", "stored", "float64", "3", "5.5"] in lines
    assert ["rounded", "to", "float16", "float32", "3", "5.5"] in lines


def test_what_a_card_did_not_notice_is_said() -> None:
    card = replace(make_card(), floor={"float32": {"one weight": None, "noise": 1e-6}})
    text = render_card(card)
    assert "not noticed" in text
    assert "1.0e-06" in text


def test_the_json_holds_the_facts_but_not_the_seed() -> None:
    card = make_card(secret=True)
    samples = KeySamples(list(card.key_samples), origin=f"synthetic text, seed {card.seed}")
    card = replace(card, key_samples=samples)
    text = strict_json(card_summary(card))
    assert str(card.seed) not in text + render_card(card)
    facts = json.loads(text)
    assert facts["schema"] == 1
    assert facts["secret"] is True
    assert facts["bytes"] is None
    assert facts["encoder"]["name"] == "org/encoder"
    assert [reference["precision"] for reference in facts["references"]][:2] == ["float64", "float32"]


def test_a_private_card_says_so() -> None:
    assert "PRIVATE" in render_card(make_card(secret=True))
    assert "PRIVATE" not in render_card(make_card())


def test_strings_of_a_card_are_harmless_in_a_terminal() -> None:
    hostile = "\x1b[2J\u202e\n"
    card = replace(
        make_card(),
        encoder_name=hostile,
        commit=hostile,
        created=hostile,
        location=hostile,
        strips=(hostile,),
        coverage=replace(
            COVERAGE,
            precisions={"float64": replace(TOTALS, partly_covered={hostile: (1, 2)})},
            rows_without_key_sample={hostile: (1, 2)},
            cannot_matter=(hostile,),
            layer_inputs={hostile: LayerInput(2, 1, 1, None)},
        ),
        floor={hostile: {hostile: hostile}},
    )
    assert all(character.isprintable() or character == "\n" for character in render_card(card))
