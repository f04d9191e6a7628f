"""The key is sent, and shown nowhere: in no message, traceback with local variables, line said, or log."""

import contextlib
import copy
import io
import logging
import pickle
import traceback
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.traceback import Traceback

from hf_integration.endpoints import Address, Api, Endpoint, Patience
from hf_integration.endpoints.keys import HIDDEN, LONGEST_KEY, Key, shown
from hf_integration.errors import EndpointError, UsageError
from tests.endpoints import faults as ours
from tests.endpoints.asking import ALL, ASKED, address, ask, embed, right
from tests.endpoints.server import EmbeddingServer
from tests.endpoints.test_faults import TABLE, Row
from tests.hub_server.faults import Fault

VARIABLE = "SENTINEL_KEY"
SENTINEL = "sk-Sentinel/0123+4567=89abcdef"

TWICE = Patience(tries=2, request=10, total=20, first_pause=0.01, longest_pause=0.02)
IN_HASTE = Patience(tries=2, request=0.1, total=20, first_pause=0.01, longest_pause=0.02)

SAID: list[str] = []
"""By the endpoints of this file."""

ECHOES = [
    *(
        Row(f"echo {status}", ours.echo(status), "")
        for status in (200, 400, 401, 403, 404, 413, 422, 429, 500)
    ),
    *(
        Row(f"echo in text {status}", ours.echo(status, kind="text/plain", where="text"), "")
        for status in (200, 400)
    ),
    Row("echo in HTML", ours.echo(200, kind="text/html", where="text"), ""),
    Row("echo in a redirect", ours.echo(307, where="location"), ""),
    Row("echo in the kind", ours.echo(200, where="kind"), ""),
    Row("echo as a name", ours.echo(200, where="name"), ""),
    *(Row(f"echo cut {status}", ours.echo(status, where="cut"), "") for status in (200, 400)),
    *(Row(f"echo many {status}", ours.echo(status, where="many"), "") for status in (200, 400)),
]

RICHLY = [*TABLE[::8], *ECHOES]
"""Drawing frames takes rich longer than everything else here."""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SENTINEL)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that it was raised for or while handling, shown or not."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def everything_shown(error: BaseException, *, richly: bool = True) -> str:
    """All that a log or pytest could show of an error, with the local variables of our frames."""
    parts = []
    for link in chain(error):
        parts += [repr(link), str(link), repr(vars(link)), *traceback.format_exception(link)]
        frames = [frame for frame, _ in traceback.walk_tb(link.__traceback__)]
        ours = [frame for frame in frames if "hf_integration" in frame.f_code.co_filename]
        assert ours
        parts += [repr(value) for frame in ours for value in frame.f_locals.values()]
    return "\n".join([*parts, in_color(error) if richly else ""])


def in_color(error: BaseException) -> str:
    """What rich shows of an error: it looks into dataclasses and containers by itself."""
    below = error.__traceback__
    while below is not None and "hf_integration" not in below.tb_frame.f_code.co_filename:
        below = below.tb_next  # the frames of the tests hold the key, of course
    drawn = io.StringIO()
    console = Console(file=drawn, width=200)
    console.print(
        Traceback.from_exception(type(error), error, below, show_locals=True, locals_max_string=1_000_000)
    )
    return drawn.getvalue()


@pytest.fixture(scope="module")
def endpoints(servers: dict[Api, EmbeddingServer]) -> Iterator[dict[tuple[Api, bool], Endpoint]]:
    """By API, and whether it takes haste."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv(VARIABLE, SENTINEL)
        yield {
            (api, haste): stack.enter_context(
                Endpoint(
                    address(servers[api], key_variable=VARIABLE),
                    patience=IN_HASTE if haste else TWICE,
                    say=SAID.append,
                )
            )
            for api in ("openai", "tei")
            for haste in (True, False)
        }


@pytest.mark.parametrize("row", [*TABLE, *ECHOES], ids=lambda row: row.name)
def test_no_error_shows_the_key(
    row: Row,
    server_of: dict[Api, EmbeddingServer],
    endpoints: dict[tuple[Api, bool], Endpoint],
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = row.apis[0]
    server, endpoint = server_of[api], endpoints[api, "wholly within" in (row.message or "")]
    server.key = SENTINEL
    server.faults.append(Fault(row.behaviour, method="POST"))
    SAID.clear()
    if row.message is None:
        assert right(endpoint.embed(ASKED, per_request=3))
        return
    with caplog.at_level(logging.DEBUG), pytest.raises(EndpointError) as caught:
        endpoint.embed(ASKED, per_request=3)
    assert all(request.headers["authorization"] == f"Bearer {SENTINEL}" for request in server.requests)
    # half a key is one too many: nine characters of it are in no text of ours
    text = "\n".join([everything_shown(caught.value, richly=row in RICHLY), *SAID])
    assert not [place for place in range(3, 20) if SENTINEL[place : place + 9] in text]
    assert caught.value.__cause__ is caught.value.__context__ is None
    if row not in ECHOES:  # httpx logs the headers of answers when it is told to
        assert SENTINEL not in caplog.text


@pytest.mark.parametrize("api", ALL)
def test_the_key_is_sent_as_a_bearer_token(api: Api, server_of: dict[Api, EmbeddingServer]) -> None:
    server_of[api].key = SENTINEL
    assert right(ask(server_of[api], key_variable=VARIABLE))
    with Endpoint(address(server_of[api], key_variable=VARIABLE)) as endpoint:
        endpoint.claims()
    assert {request.headers.get("authorization") for request in server_of[api].requests} == {
        f"Bearer {SENTINEL}"
    }


@pytest.mark.parametrize("api", ALL)
def test_a_wrong_key_is_named_by_its_variable(api: Api, server_of: dict[Api, EmbeddingServer]) -> None:
    server_of[api].key = "another"
    with pytest.raises(EndpointError, match=rf"refused the key in {VARIABLE} \(status 401\): no such key \("):
        ask(server_of[api], key_variable=VARIABLE)


def test_an_echo_is_replaced(server_of: dict[Api, EmbeddingServer]) -> None:
    server_of["tei"].faults.append(Fault(ours.echo(422), method="POST"))
    with pytest.raises(EndpointError, match=r"you sent \[the key\]"):
        ask(server_of["tei"], key_variable=VARIABLE)


def test_a_claim_that_echoes_the_key_does_not_show_it(server_of: dict[Api, EmbeddingServer]) -> None:
    body = f'{{"model_id": "{SENTINEL}", "version": "{"x" * 110}{SENTINEL}"}}'.encode()
    server_of["tei"].faults.append(Fault(ours.answers(body)))
    with Endpoint(address(server_of["tei"], key_variable=VARIABLE)) as endpoint:
        claims = endpoint.claims()
    assert claims["model"] == HIDDEN
    assert SENTINEL[:5] not in claims["server"]


def test_a_key_that_travels_in_the_open_is_a_warning(server_of: dict[Api, EmbeddingServer]) -> None:
    said: list[str] = []
    with Endpoint(Address(url="http://h", api="tei", key_variable=VARIABLE), say=said.append):
        assert said == [f"http://h/embed: the key in {VARIABLE} travels unencrypted: the URL is not https"]
    with Endpoint(Address(url="http://h", api="tei"), say=said.append):
        pass
    with Endpoint(Address(url="https://h", api="tei", key_variable=VARIABLE), say=said.append):
        pass
    assert right(ask(server_of["tei"], key_variable=VARIABLE, say=said.append))
    assert len(said) == 1


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_an_unset_variable_is_named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(UsageError, match=f"{VARIABLE}, which should hold the key, is not set"):
        Address(url="http://h", api="tei", key_variable=VARIABLE)


def test_a_variable_that_is_unset_later_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Address(url="http://h", api="tei", key_variable=VARIABLE)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(UsageError, match="is not set"):
        Endpoint(known)


@pytest.mark.parametrize(
    "value", ["sk-two words", "sk-line\nbreak", "sk-\x01", "sk-é", "s" * (LONGEST_KEY + 1)]
)
def test_what_cannot_stand_in_a_header_is_refused_and_not_quoted(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(UsageError, match=f"{VARIABLE} holds no key") as caught:
        Address(url="http://h", api="tei", key_variable=VARIABLE)
    assert value not in everything_shown(caught.value)


@pytest.mark.parametrize("name", [SENTINEL, "hf_AbCdEfGhIjKl", "", "A B", "A=B", "1A", "É", "A" * 101])
def test_a_key_in_place_of_its_variables_name_is_not_quoted(name: str) -> None:
    with pytest.raises(UsageError, match="the name of an environment variable in capital letters") as caught:
        Address(url="http://h", api="tei", key_variable=name)
    assert not name or name not in str(caught.value)


def test_a_url_with_the_key_in_it_is_refused() -> None:
    with pytest.raises(UsageError, match="the URL holds the key") as caught:
        Address(url=f"http://h/{SENTINEL}/v1", api="tei", key_variable=VARIABLE)
    assert SENTINEL not in str(caught.value)


def test_white_space_around_a_key_is_none_of_it(
    monkeypatch: pytest.MonkeyPatch, server_of: dict[Api, EmbeddingServer]
) -> None:
    monkeypatch.setenv(VARIABLE, f" {SENTINEL}\r\n")
    server_of["tei"].key = SENTINEL
    assert right(ask(server_of["tei"], key_variable=VARIABLE))


def test_a_key_shows_itself_to_nobody() -> None:
    found = Key(VARIABLE)
    assert repr(found) == str(found) == f"<key in {VARIABLE}>"
    assert not hasattr(found, "__dict__")
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            take(found)


def test_the_longest_key_is_not_shown_where_an_answer_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/" * (LONGEST_KEY - 1) + "=")  # as URLs quote it, three times as long
    found, quoted = Key(VARIABLE), "%2F" * (LONGEST_KEY - 1) + "%3D"
    assert "%2F" not in shown((quoted * 30)[: 64 << 10], found)


def test_an_interrupt_in_the_middle_shows_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from queue import SimpleQueue

    class Interrupted(SimpleQueue):  # type: ignore[type-arg]
        def get(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("hf_integration.endpoints.line.queue.SimpleQueue", Interrupted)
    # a server of its own: a request that is broken off may reach it in part, which it counts as a failure
    with EmbeddingServer("tei", embed) as server, pytest.raises(KeyboardInterrupt) as caught:
        ask(server, key_variable=VARIABLE)
    assert SENTINEL not in everything_shown(caught.value)
