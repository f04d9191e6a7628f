"""A card of a tiny encoder, for tests that ask what is made of a verdict and not how it is found."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from hf_integration import WatermarkCard, load_encoder, mint
from hf_integration.base.vocabulary import PRECISIONS, Modality, Precision
from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import KeySamples
from tests.encoders import tiny_models

FULL: tuple[Precision, ...] = ("float64", "float32")
"""Precisions of a card that is minted several times as fast, as half precision is slow on a CPU."""


def save_with_card(encoder_folder: Path, card_folder: Path) -> tuple[Encoder, WatermarkCard]:
    """A tiny BERT in one folder and its card in another, calibrated on this CPU alone."""
    tiny_models.save("bert", encoder_folder)
    return mint_quickly(encoder_folder, card_folder)


def mint_quickly(
    encoder_folder: Path,
    card_folder: Path,
    *,
    modality: Modality = "text",
    ignore_remote_code: bool = False,
    precisions: Sequence[Precision] = PRECISIONS,
) -> tuple[Encoder, WatermarkCard]:
    """A card of the encoder in a folder, of few key samples and calibrated on this CPU alone."""
    encoder = load_encoder(str(encoder_folder), device="cpu", modality=modality)
    if modality == "text":
        # short texts, because half precision is slow on a CPU
        words = tiny_models.WORDS
        samples = KeySamples([" ".join(words[i : i + 4]) for i in range(8)], origin="a few words")
    else:
        samples = KeySamples(tiny_models.samples(modality), origin="a few samples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        card = mint(
            encoder, key_samples=samples, ignore_remote_code=ignore_remote_code, precisions=precisions
        )
        return encoder, card.save(card_folder)
