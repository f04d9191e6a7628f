"""A tiny encoder and its card, for tests of what the benchmarks compute; figures are taken on real ones."""

from pathlib import Path

import pytest

from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from tests.threads import one_thread
from tests.tiny_cards import save_with_card

__all__ = ["one_thread"]


@pytest.fixture(scope="package")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, WatermarkCard]:
    """A tiny encoder and its card."""
    root: Path = tmp_path_factory.mktemp("benchmarks")
    return save_with_card(root / "tiny", root / "card")
