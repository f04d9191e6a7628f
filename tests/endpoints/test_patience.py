"""Requests that are sent again, and for how long."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from hf_integration.endpoints import Api, Endpoint, Patience
from hf_integration.endpoints.patience import retry_after
from hf_integration.errors import EndpointError
from tests.endpoints import faults as ours
from tests.endpoints.asking import ASKED, ONCE, address, ask, right
from tests.endpoints.server import EmbeddingServer
from tests.hub_server import faults
from tests.hub_server.faults import Behaviour, Fault

AGAIN = Patience(tries=3, request=10, total=20, first_pause=0.01, longest_pause=0.02)
SILENT = replace(AGAIN, request=0.3)

PASSING: dict[str, Behaviour] = {
    **{f"status {code}": faults.status(code) for code in (429, 500, 502, 503, 504)},
    "reset": faults.reset(),
    "hang-up": faults.hang_up(after=10),
}
WITHOUT_END: dict[str, Behaviour] = {
    "stall": faults.stall(),
    "stall in the middle": faults.stall(after=10),
    "drip of headers": ours.dripped_headers(),
}
LASTING: dict[str, Behaviour] = {
    **{f"status {code}": faults.status(code) for code in (400, 401, 403, 404, 405, 408, 413, 422, 424, 501)},
    "redirect": faults.redirect("/elsewhere"),
    "html": faults.html(),
    "no numbers": ours.number(b"NaN"),
    "endless": ours.endless_body(),
    "bomb": ours.gzip_bomb(),
}


@pytest.fixture
def server(server_of: dict[Api, EmbeddingServer]) -> EmbeddingServer:
    return server_of["openai"]


@pytest.mark.parametrize("name", [*PASSING, *WITHOUT_END])
def test_what_may_pass_is_asked_again(name: str, server: EmbeddingServer) -> None:
    behaviour = {**PASSING, **WITHOUT_END}[name]
    server.faults.append(Fault(behaviour, method="POST", times=2))
    said: list[str] = []
    answers = ask(server, patience=SILENT if name in WITHOUT_END else AGAIN, say=said.append)
    assert right(answers)
    assert answers.requests == len(server.requests) == 3
    assert [line.rpartition(" (")[2] for line in said] == ["try 2 of 3)", "try 3 of 3)"]
    assert all(line.startswith(server.url) and "; asking again in 0.0 s" in line for line in said)


@pytest.mark.parametrize("name", PASSING)
def test_but_not_for_ever(name: str, server: EmbeddingServer) -> None:
    server.faults.append(Fault(PASSING[name], method="POST"))
    with pytest.raises(EndpointError, match="at the last of 3 tries"):
        ask(server, patience=AGAIN)
    assert len(server.requests) == 3


@pytest.mark.parametrize("name", LASTING)
def test_what_will_not_pass_is_asked_once(name: str, server: EmbeddingServer) -> None:
    server.faults.append(Fault(LASTING[name], method="POST"))
    said: list[str] = []
    with pytest.raises(EndpointError):
        ask(server, patience=AGAIN, say=said.append)
    assert len(server.requests) == 1
    assert said == []


def test_requests_that_were_repeated_are_counted(server: EmbeddingServer) -> None:
    server.faults.append(Fault(faults.status(503), method="POST", times=2))
    assert ask(server, patience=AGAIN, per_request=1).requests == 5


def test_a_request_that_is_sent_again_follows_no_redirect(server_of: dict[Api, EmbeddingServer]) -> None:
    server, other = server_of["openai"], server_of["tei"]
    server.faults += [
        Fault(faults.status(503), method="POST", times=1),
        Fault(faults.redirect(f"{other.url}{{path}}"), method="POST"),
    ]
    with pytest.raises(EndpointError, match=f"redirects to '{other.url}/v1/embeddings'"):
        ask(server, patience=AGAIN)
    assert other.requests == []


@pytest.mark.parametrize("header", ["1", "http-date"])
def test_a_server_may_say_how_long_to_wait(header: str, server: EmbeddingServer) -> None:
    # dates have whole seconds: up to one is lost
    wanted = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if header != "1" else "1"
    server.faults.append(Fault(faults.status(429, Retry_After=wanted), method="POST", times=1))
    begin = time.monotonic()
    patience = Patience(tries=2, request=5, total=30, first_pause=0.01, longest_pause=5)
    assert right(ask(server, patience=patience))
    assert 0.9 < time.monotonic() - begin < 4


@pytest.mark.parametrize("header", ["3600", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_but_no_longer_than_the_longest_pause(header: str, server: EmbeddingServer) -> None:
    server.faults.append(Fault(faults.status(429, Retry_After=header), method="POST", times=1))
    begin = time.monotonic()
    assert right(ask(server, patience=AGAIN))
    assert time.monotonic() - begin < 2


def test_the_total_ends_what_each_single_try_would_not(server: EmbeddingServer) -> None:
    server.faults.append(Fault(faults.status(503, Retry_After="60"), method="POST"))
    begin = time.monotonic()
    patience = Patience(tries=50, request=0.2, total=0.6, first_pause=0.2, longest_pause=0.25)
    with pytest.raises(EndpointError, match=r"status 503\).*; 0.6 seconds were given for all requests"):
        ask(server, patience=patience)
    assert time.monotonic() - begin < 1.5
    assert 1 < len(server.requests) < 5


def test_no_pause_is_begun_that_the_total_would_end(server: EmbeddingServer) -> None:
    server.faults.append(Fault(faults.status(503, Retry_After="5"), method="POST"))
    begin = time.monotonic()
    with pytest.raises(EndpointError, match="were given for all requests"):
        ask(server, patience=Patience(request=2, total=2))
    assert time.monotonic() - begin < 1.5
    assert len(server.requests) == 1


def test_the_total_holds_over_many_requests_that_drip(server: EmbeddingServer) -> None:
    server.faults.append(Fault(faults.drip(0.0005), method="POST"))
    begin = time.monotonic()
    with pytest.raises(EndpointError, match=r"seconds"):
        ask(server, patience=Patience(tries=50, request=0.2, total=0.3, first_pause=0.01), per_request=1)
    assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 7 ", 7),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59", 0),
        ("Fri, 31 Dec 9999 23:59:59 -9999", None),
        ("Fri, 99 Dec 2020 23:59:59 GMT", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("1 Jan 1 0 0 0 +99999999999", None),
    ],
)
def test_retry_after_in_all_its_forms(header: str | None, seconds: float | None) -> None:
    found = retry_after(header)
    assert found == seconds or (seconds is None and found is not None and 0 <= found <= 86_400)


def test_pauses_double_and_differ() -> None:
    patience = Patience(first_pause=1, longest_pause=30)
    for failed, whole in ((1, 1), (2, 2), (3, 4), (4, 8)):
        pauses = {patience.pause(failed, None) for _ in range(50)}
        assert whole / 2 <= min(pauses) < max(pauses) <= whole
    assert patience.pause(99, None) == 30
    assert patience.pause(1, 20) == 20
    assert patience.pause(1, 31) == 30


def test_time_that_a_caller_waits_before_a_request_is_not_the_servers(server: EmbeddingServer) -> None:
    places = []

    def before(place: int) -> None:
        places.append(place)
        time.sleep(0.6)

    with Endpoint(address(server), patience=replace(ONCE, total=1)) as endpoint:
        answers = endpoint.embed_groups([[text] for text in ASKED], before=before)
    assert places == [0, 1, 2]
    assert answers.embeddings[:, 0].tolist() == [1001.0, 1002.0, 1003.0]
