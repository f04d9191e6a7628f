"""The scene, built once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scene import Scene, a_scene
from tests.threads import one_thread

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_scene(tmp_path_factory.mktemp("scene")) as built:
        yield built


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty place for the Hub's cache."""
    return tmp_path / "home"
