"""How long a Hub may keep a check waiting, and where it may let files be written."""

import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, utils

from hf_integration.base.errors import InconclusiveError, IntegrityError
from hf_integration.snapshot import transport
from hf_integration.snapshot.hub_errors import HubUnreachableError, OfflineError, hub_errors
from hf_integration.snapshot.transport import MOST_TRIES, guarded_transport, http_library
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
    with guarded_transport(), pytest.raises(http_library().TimeoutException):
        HfApi().model_info("org/tiny")
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("/api/models", lambda: HfApi().model_info("org/tiny")),
        ("/resolve/", lambda: hf_hub_download("org/tiny", "config.json")),
    ],
)
def test_a_server_that_drips_is_given_up(
    tiny: HubServer, monkeypatch: pytest.MonkeyPatch, path: str, ask: Callable[[], object]
) -> None:
    monkeypatch.setattr(transport, "WATCHED", 1)
    tiny.commit("org/tiny", {"config.json": b"{" + 9_999 * b" " + b"}"})
    tiny.faults.append(Fault(faults.drip(0.05), path=path))
    begin = time.monotonic()
    with guarded_transport(), pytest.raises(InconclusiveError, match="bytes came in 1 seconds"):
        ask()
    assert time.monotonic() - begin < 10


def test_a_server_that_is_merely_slow_is_waited_for(tiny: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "WATCHED", 0.2)
    monkeypatch.setattr(transport, "LEAST_RATE", 5)
    tiny.commit("org/tiny", {"config.json": b"{" + 50 * b" " + b"}"})
    tiny.faults.append(Fault(faults.drip(0.02), path="/resolve/"))
    with guarded_transport():
        assert Path(hf_hub_download("org/tiny", "config.json")).stat().st_size == 52


asks_again = pytest.mark.skipif(
    version("huggingface_hub") < "2", reason="before 2.0 the client does not ask for a listing again"
)


@asks_again
@pytest.mark.parametrize(
    "pause", [{"Retry_After": "3600"}, {"RateLimit": '"api";r=0;t=3600'}, {"Retry_After": "tomorrow"}]
)
def test_a_pause_of_an_hour_is_not_made(tiny: HubServer, pause: dict[str, str]) -> None:
    tiny.faults.append(Fault(faults.status(429, **pause), path="/tree/", times=1))
    begin = time.monotonic()
    with guarded_transport():
        assert "config.json" in HfApi().list_repo_files("org/tiny")
    assert time.monotonic() - begin < 10


@asks_again
@pytest.mark.parametrize(
    ("spoil", "path", "ask"),
    [
        (faults.status(503), "/tree/", lambda: HfApi().list_repo_files("org/tiny")),
        (faults.stall(), "/resolve/", lambda: hf_hub_download("org/tiny", "config.json")),
    ],
    ids=["down", "silent"],
)
def test_a_hub_that_is_down_or_silent_is_asked_three_times(
    tiny: HubServer, spoil: faults.Behaviour, path: str, ask: Callable[[], object]
) -> None:
    tiny.faults.append(Fault(spoil, path=path))
    with pytest.raises(HubUnreachableError), hub_errors("org/tiny", "main"):
        ask()
    assert len([request for request in tiny.requests if path in request.path]) == MOST_TRIES


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: list(api.list_repo_tree("org/tiny")),
        lambda api: api.model_info("org/tiny"),
        lambda api: hf_hub_download("org/tiny", "config.json", endpoint=api.endpoint),
        lambda api: api.snapshot_download("org/tiny", revision=40 * "a"),
    ],
    ids=["listing", "page", "file", "snapshot"],
)
def test_where_nobody_listens_nobody_waits_and_the_session_stays_watched(
    tiny: HubServer, ask: Callable[[HfApi], object]
) -> None:
    """The client throws its session away when a connection does not come about, and the guards with it."""
    session = utils.get_session()  # type: ignore[attr-defined]
    begin = time.monotonic()
    with guarded_transport():
        with pytest.raises(OfflineError), hub_errors("org/tiny", "main"):
            ask(HfApi(endpoint="http://127.0.0.1:9"))
        assert utils.get_session() is session  # type: ignore[attr-defined]
        tiny.faults.append(Fault(faults.headers(ETag='"../../../escaped"'), path="config.json"))
        with pytest.raises(IntegrityError, match="leads outside"):
            hf_hub_download("org/tiny", "config.json")
    assert time.monotonic() - begin < 5


@asks_again
def test_a_short_pause_is_made(tiny: HubServer) -> None:
    tiny.faults.append(Fault(faults.status(429, Retry_After="1"), path="/tree/", times=1))
    begin = time.monotonic()
    with guarded_transport():
        HfApi().list_repo_files("org/tiny")
    assert time.monotonic() - begin >= 1


@pytest.mark.parametrize("etag", ['"../../../escaped"', 'W/"..\\\\escaped"', "/escaped", '""'])
def test_an_etag_cannot_lead_out_of_the_cache(tiny: HubServer, tmp_path: Path, etag: str) -> None:
    tiny.faults.append(Fault(faults.headers(ETag=etag), path="config.json"))
    with guarded_transport(), pytest.raises(IntegrityError, match="leads outside"):
        hf_hub_download("org/tiny", "config.json")
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize("etag", ['W/"0123456789abcdef"', '"d41d8cd98f00b204-3"'])
def test_an_ordinary_etag_is_left_alone(tiny: HubServer, etag: str) -> None:
    tiny.faults.append(Fault(faults.headers(ETag=etag), path="config.json"))
    with guarded_transport():
        assert Path(hf_hub_download("org/tiny", "config.json")).read_bytes() == b"{}"


@pytest.mark.usefixtures("tiny")
def test_what_others_ask_the_hub_for_afterwards_is_left_alone() -> None:
    session = utils.get_session()  # type: ignore[attr-defined]
    before = session.event_hooks
    sent_by = session.send
    with guarded_transport():
        assert session.event_hooks != before
        assert session.send != sent_by
    assert session.event_hooks == before
    assert session.send == sent_by


def test_two_threads_leave_each_others_hooks_alone() -> None:
    session = utils.get_session()  # type: ignore[attr-defined]
    before = session.event_hooks
    inside, leave = threading.Barrier(3), [threading.Event(), threading.Event()]
    left = [threading.Event(), threading.Event()]

    def watch(number: int) -> None:
        with guarded_transport():
            inside.wait(10)
            leave[number].wait(10)
        left[number].set()

    threads = [threading.Thread(target=watch, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    twice = session.event_hooks
    leave[0].set()
    assert left[0].wait(10)
    once = session.event_hooks
    leave[1].set()
    for thread in threads:
        thread.join(10)
    assert "send" not in vars(session)
    counts = [[len(hooks[kind]) for kind in ("request", "response")] for hooks in (before, once, twice)]
    requests, responses = counts[0]
    assert counts == [[requests + n, responses + 3 * n] for n in (0, 1, 2)]
    assert session.event_hooks == before


def test_hooks_that_somebody_else_took_off_hide_no_finding() -> None:
    session = utils.get_session()  # type: ignore[attr-defined]
    before = session.event_hooks

    def find() -> None:
        with guarded_transport():
            session.event_hooks = before
            raise RuntimeError("the finding")

    with pytest.raises(RuntimeError, match="the finding"):
        find()
    assert session.event_hooks == before
