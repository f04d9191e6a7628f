"""How long a Hub may keep a check waiting."""

import time

import httpx2
import pytest
from huggingface_hub import HfApi, constants, utils

from hf_integration.snapshot.patience import bounded_patience
from tests.hub_server import Fault, HubServer, faults


@pytest.fixture
def tiny(hub_here: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    hub_here.create("org/tiny", {"config.json": b"{}"})
    return hub_here


def test_a_page_that_never_comes_is_not_waited_for(tiny: HubServer) -> None:
    tiny.faults.append(Fault(faults.stall()))
    begin = time.monotonic()
    with bounded_patience(), pytest.raises(httpx2.TimeoutException):
        HfApi().model_info("org/tiny")
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    "pause", [{"Retry_After": "3600"}, {"RateLimit": '"api";r=0;t=3600'}, {"Retry_After": "tomorrow"}]
)
def test_a_pause_of_an_hour_is_not_made(tiny: HubServer, pause: dict[str, str]) -> None:
    tiny.faults.append(Fault(faults.status(429, **pause), path="/tree/", times=1))
    begin = time.monotonic()
    with bounded_patience():
        assert "config.json" in HfApi().list_repo_files("org/tiny")
    assert time.monotonic() - begin < 10


def test_a_short_pause_is_made(tiny: HubServer) -> None:
    tiny.faults.append(Fault(faults.status(429, Retry_After="1"), path="/tree/", times=1))
    begin = time.monotonic()
    with bounded_patience():
        HfApi().list_repo_files("org/tiny")
    assert time.monotonic() - begin >= 1


@pytest.mark.usefixtures("tiny")
def test_what_others_ask_the_hub_for_afterwards_is_left_alone() -> None:
    session = utils.get_session()  # type: ignore[attr-defined]
    before = session.event_hooks
    with bounded_patience():
        assert session.event_hooks != before
    assert session.event_hooks == before
