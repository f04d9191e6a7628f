"""An observer that is put back after every test, and a tiny encoder as its users have it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hf_integration.loading.interception import INTERCEPTION
from hf_integration.loading.observing import Observer
from tests.hub_server.fixtures import hub, hub_here
from tests.hub_server.server import HubServer

__all__ = ["hub", "hub_here"]


@dataclass(frozen=True)
class Repository:
    """An encoder on a Hub.

    Attributes:
        hub: the Hub.
        name: its repo id.
        commit: its first commit.
        files: of that commit.
    """

    hub: HubServer
    name: str
    commit: str
    files: dict[str, bytes]


@pytest.fixture
def observer() -> Iterator[Observer]:
    observer = Observer(lambda: "test_it")
    observer.start()
    yield observer
    observer.stop()
    assert not INTERCEPTION.wraps


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``models/tiny`` and ``cards/tiny``; nothing in it may be changed."""
    from tests.tiny_cards import save_with_card

    root = tmp_path_factory.mktemp("shelf")
    save_with_card(root / "models" / "tiny", root / "cards" / "tiny")
    return root


@pytest.fixture
def loads_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """While transformers loads, it patches itself and torch; loads in several threads leave that so."""
    import sys

    from transformers import initialization
    from transformers.modeling_utils import PreTrainedModel

    monkeypatch.setattr(PreTrainedModel, "tie_weights", PreTrainedModel.tie_weights)
    for module in filter(None, map(sys.modules.get, initialization.TORCH_MODULES_TO_PATCH)):
        for name in initialization.TORCH_INIT_FUNCTIONS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(module, name))


@pytest.fixture
def repo(hub_here: HubServer, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """``org/tiny`` on a Hub that the libraries of users ask as well."""
    import transformers.utils.hub
    from huggingface_hub import hf_api

    # clients that these libraries keep for good: they know the Hub of the test before, or the real one
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None, raising=False)
    monkeypatch.setattr(hf_api.api, "endpoint", hub_here.url)
    files = {file.name: file.read_bytes() for file in (shelf / "models" / "tiny").iterdir()}
    return Repository(hub_here, "org/tiny", hub_here.create("org/tiny", files), files)
