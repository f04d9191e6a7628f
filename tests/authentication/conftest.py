"""Tiny encoders of each modality with their cards, minted once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from hf_integration import WatermarkCard, load_encoder, mint
from hf_integration.encoders import Encoder
from hf_integration.key_samples import KeySamples
from tests.encoders import tiny_models


class Minted(NamedTuple):
    """An encoder as loaded, its folder and its card."""

    encoder: Encoder
    folder: Path
    card: WatermarkCard


@pytest.fixture(scope="session")
def minted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Minted]:
    """Mints a card for a tiny architecture, the first time it is asked for."""

    @cache
    def make(architecture: str) -> Minted:
        root = tmp_path_factory.mktemp(architecture)
        folder = tiny_models.save(architecture, root / "encoder")
        encoder = load_encoder(str(folder), device="cpu")
        samples = tiny_models.samples(encoder.modality)
        with pytest.MonkeyPatch.context() as patch:
            # other instruction sets are tested with minting; here it is the verdict that is asked for
            patch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
            card = mint(encoder, key_samples=KeySamples(samples, origin="test"))
        return Minted(encoder, folder, card.save(root / "card"))

    return make
