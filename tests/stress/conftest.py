"""Tiny models are run on one thread."""

from pathlib import Path

import pytest

from hf_integration.base.vocabulary import Precision
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.stress import BenignChange
from tests.threads import one_thread
from tests.tiny_cards import save_with_card

__all__ = ["one_thread"]


@pytest.fixture(scope="package")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, WatermarkCard]:
    """A tiny encoder and its card."""
    root: Path = tmp_path_factory.mktemp("stress")
    return save_with_card(root / "tiny", root / "card")


def not_compiled(_: Encoder, __: WatermarkCard, precision: Precision) -> BenignChange:
    """In the place of a run that takes half a minute of compiling."""
    return BenignChange("compiled", precision, None, "not in this test")
