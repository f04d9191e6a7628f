"""The server misbehaves as it was told, and only then."""

import time
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from hf_integration.snapshot.transport import http_library
from tests.hub_server import Fault, HubServer, faults

FILES = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 40}


def test_a_burst_ends(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.status(503), path="/api/models/org/tiny", times=2))
    for _ in range(2):
        with pytest.raises(HfHubHTTPError, match="503"):
            HfApi().model_info("org/tiny")
    assert HfApi().model_info("org/tiny").sha == hub_here.head("org/tiny")
    assert hub_here.faults[0].struck == 2


def test_what_is_refused_is_not_done_but_a_lost_reply_is(hub_here: HubServer) -> None:
    before = hub_here.create("org/tiny", FILES)
    lost = Fault(faults.reset(), path="/tag/", method="POST", times=1)
    hub_here.faults += [Fault(faults.status(403), path="/tag/", method="POST", times=1), lost]
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi().create_tag("org/tiny", tag="refused")
    with pytest.raises(http_library().HTTPError):
        HfApi().create_tag("org/tiny", tag="lost")
    assert hub_here.repository("org/tiny").tags == {"lost": before}


def test_a_reset_comes_in_the_middle(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.reset(after=5000), server="cdn", times=1))
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(f"{hub_here.url}/org/tiny/resolve/main/model.safetensors", follow_redirects=True)
    assert hub_here.faults[0].struck == 1


def test_the_client_asks_again_after_a_hang_up(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.hang_up(after=5000), server="cdn", times=1))
    assert Path(hf_hub_download("org/tiny", "model.safetensors")).read_bytes() == FILES["model.safetensors"]
    assert [request.server for request in hub_here.requests].count("cdn") == 2


def test_tampered_bytes_have_the_right_size(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.tampered(), server="cdn"))
    got = Path(hf_hub_download("org/tiny", "model.safetensors")).read_bytes()
    assert (len(got), got[:-1]) == (len(FILES["model.safetensors"]), FILES["model.safetensors"][:-1])
    assert got != FILES["model.safetensors"]


def test_a_stall_lasts_until_the_client_gives_up_and_the_server_still_stops(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    hub_here.faults.append(Fault(faults.stall(after=1), path="config.json", method="GET"))
    begin = time.monotonic()
    with pytest.raises(httpx2.TimeoutException):
        httpx2.get(f"{hub_here.url}/org/tiny/resolve/main/config.json", timeout=0.5)
    assert 0.4 < time.monotonic() - begin < 5


def test_a_listing_can_lie(hub_here: HubServer) -> None:
    hub_here.create("org/tiny", FILES)
    nothing = faults.edited(lambda entries: [entry for entry in entries if entry["path"] == "config.json"])
    hub_here.faults.append(Fault(nothing, path="/tree/"))
    assert HfApi().list_repo_files("org/tiny") == ["config.json"]
