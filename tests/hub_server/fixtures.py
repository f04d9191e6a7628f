"""The Hub as fixtures; a conftest imports them by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server.server import HubServer


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A Hub without repositories, for one test."""
    with HubServer() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def hub_here(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The same, and what runs in this process takes it for the Hub, with an empty cache."""
    from huggingface_hub import close_session, constants

    home = tmp_path / "hf-home"
    settings = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
    }
    for name, value in settings.items():
        monkeypatch.setattr(constants, name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    close_session()
    yield hub
    close_session()
