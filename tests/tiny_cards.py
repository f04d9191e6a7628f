"""A card of a tiny encoder, for tests that ask what is made of a verdict and not how it is found."""

from pathlib import Path

import pytest

from hf_integration import WatermarkCard, load_encoder, mint
from hf_integration.encoders import Encoder
from hf_integration.key_samples.interface import KeySamples
from tests.encoders import tiny_models


def save_with_card(encoder_folder: Path, card_folder: Path) -> tuple[Encoder, WatermarkCard]:
    """A tiny BERT in one folder and its card in another, calibrated on this CPU alone."""
    return save_card_of(tiny_models.save("bert", encoder_folder), card_folder)


def save_card_of(encoder_folder: Path, card_folder: Path) -> tuple[Encoder, WatermarkCard]:
    """The card of a tiny text encoder that lies in a folder."""
    encoder = load_encoder(str(encoder_folder), device="cpu")
    # short texts, because half precision is slow on a CPU
    words = tiny_models.WORDS
    texts = KeySamples([" ".join(words[i : i + 4]) for i in range(8)], origin="a few words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        return encoder, mint(encoder, key_samples=texts).save(card_folder)
