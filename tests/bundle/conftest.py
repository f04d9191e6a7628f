"""A tiny encoder with its signed card, in folders and in repositories."""

import shutil
from pathlib import Path

import pytest

from hf_integration.signing import sign
from tests.hub_server.fixtures import hub, hub_here
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair, make_keys
from tests.threads import one_thread

__all__ = ["hub", "hub_here", "one_thread"]

ENCODER = "org/tiny"
NOT_NEEDED = {
    "README.md": b"# tiny",
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"raise SystemExit",
    "onnx/model.onnx": b"a graph",
    "training/state.json": b"{}",
}
"""What lies in repositories and is no part of an encoder."""


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory, keys: KeyPair) -> Path:
    """``tiny``, and its signed card in ``cards/tiny``."""
    from tests.tiny_cards import save_with_card

    root = tmp_path_factory.mktemp("bundle")
    save_with_card(root / "tiny", root / "cards" / "tiny")
    sign(root / "cards" / "tiny", keys.private)
    return root


@pytest.fixture
def here(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workshop as working directory."""
    shutil.copytree(workshop, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def published(workshop: Path, hub_here: HubServer) -> HubServer:
    """A Hub with the encoder and its card in one repository, among files that no bundle needs."""
    files = {file.name: file.read_bytes() for file in (workshop / "tiny").iterdir()}
    card = {f"sslauth/{file.name}": file.read_bytes() for file in (workshop / "cards" / "tiny").iterdir()}
    hub_here.create(ENCODER, {**files, **card, **NOT_NEEDED})
    return hub_here


def listing(folder: Path) -> set[str]:
    """Names of all that lies below a folder; links are an error."""
    found = [path for path in folder.rglob("*") if not path.is_dir()]
    assert not any(path.is_symlink() for path in found)
    return {path.relative_to(folder).as_posix() for path in found}
