"""A signed card, keys, and ways to make signatures that nobody should make."""

import shutil
from pathlib import Path

import pytest

from hf_integration.signing import sign
from tests.card.synthetic_cards import make_card
from tests.hub_server.fixtures import hub, hub_here
from tests.signing.keys import KeyPair, make_keys

__all__ = ["hub", "hub_here"]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("other-keys"))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory, keys: KeyPair) -> Path:
    folder = tmp_path_factory.mktemp("pristine") / "card"
    make_card(keys=2, strips=1).save(folder)
    sign(folder, keys.private)
    return folder


@pytest.fixture
def signed(pristine: Path, tmp_path: Path) -> Path:
    """The folder of a signed card, to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "card"))
