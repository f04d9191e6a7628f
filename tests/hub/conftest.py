"""A tiny encoder with its card, and repositories that hold it, on a Hub over real HTTP."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import WatermarkCard, load_encoder
from hf_integration.hub import Publisher
from tests.hub.repositories import REPO, Shelf, altered, files_of
from tests.hub_server import HubServer
from tests.hub_server.fixtures import hub, hub_here
from tests.threads import one_thread
from tests.tiny_cards import mint_quickly, save_with_card

__all__ = ["hub", "hub_here", "one_thread"]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The encoder, its card, an altered encoder, and the card that its attacker minted for it."""
    root = tmp_path_factory.mktemp("shelf")
    save_with_card(root / "tiny", root / "card")
    altered(root / "tiny", root / "altered")
    mint_quickly(root / "altered", root / "attackers-card")
    return Shelf(root)


@pytest.fixture
def repo(hub_here: HubServer, shelf: Shelf) -> HubServer:
    """The Hub with the encoder in ``org/tiny``, and a model card that somebody wrote by hand."""
    hub_here.create(REPO, {**files_of(shelf.encoder), "README.md": shelf.readme})
    return hub_here


@pytest.fixture
def card(shelf: Shelf, tmp_path: Path) -> Path:
    """A copy of the card that a test may change."""
    return Path(shutil.copytree(shelf.card, tmp_path / "card"))


@pytest.fixture
def another_card(shelf: Shelf, tmp_path: Path) -> Callable[..., Path]:
    """Saves a card that differs from the encoder's in some attributes."""

    def save(name: str = "another", **changes: object) -> Path:
        changed = replace(WatermarkCard.load(shelf.card), **changes)  # type: ignore[arg-type]
        changed.save(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def publisher() -> Publisher:
    return Publisher(load=lambda name, commit, _: load_encoder(name, revision=commit, device="cpu"))
