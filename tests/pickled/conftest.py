"""A tiny encoder whose weights are pickled, and what it was pickled from."""

from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.conftest import folder, sslauth
from tests.encoders import tiny_models
from tests.hub_server.fixtures import hub, hub_here
from tests.threads import one_thread

__all__ = ["folder", "hub", "hub_here", "one_thread", "sslauth"]


@pytest.fixture(scope="session")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder as it would be saved today."""
    return tiny_models.save("bert", tmp_path_factory.mktemp("pickled") / "safe")


@pytest.fixture
def old(safe: Path, tmp_path: Path) -> Path:
    """The same with pickled weights, code beside them, and weights for another library."""
    place = Path(copytree(safe, tmp_path / "old"))
    (place / "model.safetensors").unlink()
    torch.save(load_file(safe / "model.safetensors"), place / "pytorch_model.bin")
    (place / "modeling_own.py").write_text("raise SystemExit\n")
    (place / "tf_model.h5").write_bytes(b"HDF")
    torch.save({"step": 3}, place / "training_args.bin")
    return place
