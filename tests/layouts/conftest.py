"""Layouts with their cards, made once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from tests.layouts.building import LAYOUTS, Layout
from tests.threads import one_thread
from tests.tiny_cards import mint_quickly

__all__ = ["one_thread"]

Minted = tuple[Layout, Path, WatermarkCard]


@pytest.fixture(scope="session")
def minted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Minted]:
    """Layout, folder and card by the layout's name."""

    @cache
    def make(name: str) -> Minted:
        layout = next(layout for layout in LAYOUTS if layout.name == name)
        root = tmp_path_factory.mktemp("layout")
        layout.write(root / "encoder")
        _, card = mint_quickly(root / "encoder", root / "card", modality=layout.modality)
        return layout, root / "encoder", card

    return make
