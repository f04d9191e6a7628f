"""Tensors in a weight file that nothing loads are no alteration, and are said."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard, load_encoder
from hf_integration.authentication import Authenticator
from hf_integration.encoders.interface import UNUSED_TENSORS
from hf_integration.report import HumanReporter
from tests.tiny_cards import save_with_card


def test_what_was_added_to_the_file_is_not_covered(tmp_path: Path) -> None:
    _, card = save_with_card(tmp_path / "tiny", tmp_path / "card")
    copy = Path(shutil.copytree(tmp_path / "tiny", tmp_path / "copy"))
    file = copy / "model.safetensors"
    save_file({**load_file(file), "encoder.payload": torch.ones(3)}, file, metadata={"format": "pt"})
    verdict = _verdict(copy, card)
    assert verdict.status == "authentic"
    assert verdict.files.not_covered == (
        "tensors in the weight files that nothing loads: 1 (0 when the card was minted)",
    )
    assert "that nothing loads: 1" in HumanReporter().render(verdict)
    assert _verdict(tmp_path / "tiny", card).files.not_covered == ()


@pytest.mark.parametrize("recorded", ["2", "9" * 5000, "many", "-1"])
def test_fewer_than_at_minting_are_no_news_and_a_card_may_say_anything(tmp_path: Path, recorded: str) -> None:
    _, card = save_with_card(tmp_path / "tiny", tmp_path / "card")
    said = replace(card, encoder=replace(card.encoder, details={UNUSED_TENSORS: recorded}))
    assert _verdict(tmp_path / "tiny", said).files.not_covered == ()


def _verdict(folder: Path, card: WatermarkCard):  # type: ignore[no-untyped-def]
    encoder = load_encoder(str(folder), device="cpu")
    return Authenticator(card=card, trust="local").authenticate(encoder).verdict
