"""A good card in a folder of its own, to be damaged."""

import shutil
from pathlib import Path

import pytest

from tests.card.synthetic_cards import make_card


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine") / "card"
    make_card().save(folder)
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "card"))
