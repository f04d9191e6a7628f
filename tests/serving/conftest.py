"""One small encoder for the whole folder: nothing here may change it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from tests.serving import small_encoders
from tests.threads import one_thread

__all__ = ["one_thread"]

Saved = Callable[..., Path]
Opened = Callable[..., TorchEncoder]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Saves the small encoder with other settings; the same settings give the same folder."""
    folders: dict[str, Path] = {}

    def save(**settings: Any) -> Path:
        key = repr(sorted(settings.items()))
        if key not in folders:
            folders[key] = small_encoders.save(tmp_path_factory.mktemp("serving"), **settings)
        return folders[key]

    return save


@pytest.fixture(scope="session")
def opened(saved: Saved) -> Opened:
    """Opens the small encoder with other settings; the same settings give the same object."""
    encoders: dict[Path, TorchEncoder] = {}

    def open_with(**settings: Any) -> TorchEncoder:
        folder = saved(**settings)
        if folder not in encoders:
            encoders[folder] = small_encoders.opened(folder)
        return encoders[folder]

    return open_with


@pytest.fixture(scope="session")
def encoder(opened: Opened) -> TorchEncoder:
    """The trusted copy of most tests: mean pooling, scaled to length 1, no prompt."""
    return opened()
