"""Tiny models are altered on one thread."""

from collections.abc import Callable
from functools import cache

import pytest

from hf_integration.encoders import Encoder, open_encoder
from tests.encoders import tiny_models
from tests.threads import one_thread

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Encoder]:
    """Tiny encoders by architecture, loaded from a folder; no test may edit one."""

    @cache
    def load(name: str) -> Encoder:
        folder = tiny_models.save(name, tmp_path_factory.mktemp(name) / "encoder")
        return open_encoder(folder, name=name, device="cpu")

    return load
