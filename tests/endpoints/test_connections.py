"""Connections that do not come about, certificates, proxies, and what is left when a server is given up."""

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hf_integration.endpoints import Address, Api, Endpoint, Patience
from hf_integration.errors import EndpointError, UsageError
from tests.endpoints import faults as ours
from tests.endpoints.asking import ASKED, HASTE, ONCE, address, ask, embed, right
from tests.endpoints.server import EmbeddingServer
from tests.hub_server import faults
from tests.hub_server.faults import Fault

AGAIN = Patience(tries=2, request=5, total=10, first_pause=0.01, longest_pause=0.02)


def asked(url: str, patience: Patience = ONCE) -> None:
    with Endpoint(Address(url=url, api="tei"), patience=patience) as endpoint:
        endpoint.embed(ASKED)


def test_the_room_loads_neither_torch_nor_the_http_library() -> None:
    code = "import hf_integration.endpoints, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = ("torch", "transformers", "pydantic", "huggingface_hub", "httpx", "httpx2")
    assert not {*heavy} & {*done.stdout.split()}


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(
            EndpointError, match=r"was not reached: Connection refused, at the last of 2 tries"
        ):
            asked(url, AGAIN)


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(
        EndpointError, match=r"^http://nobody.invalid/embed: the server (was not reached|did not)"
    ):
        asked("http://nobody.invalid")


def test_a_port_that_accepts_and_never_answers() -> None:
    message = r"did not answer wholly within 0\.1 seconds"
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(EndpointError, match=message):
        asked(f"http://127.0.0.1:{listening.getsockname()[1]}", HASTE)


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    begin = time.monotonic()
    with pytest.raises(EndpointError, match=r"did not answer wholly within 0\.1 seconds"):
        asked("http://slow.invalid", HASTE)
    release.set()
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("name", ["dripped_headers", "interim_answers", "dripped_body", "endless_body"])
def test_nothing_goes_on_after_a_server_is_given_up(name: str, server_of: dict[Api, EmbeddingServer]) -> None:
    server_of["tei"].faults.append(Fault(getattr(ours, name)(), method="POST"))
    with Endpoint(address(server_of["tei"]), patience=HASTE) as endpoint:
        with pytest.raises(EndpointError):
            endpoint.embed(ASKED)
        end = time.monotonic() + 3
        while any(thread.name == "sslauth endpoint" for thread in threading.enumerate()):
            assert time.monotonic() < end, "the thread that asked is still there"
            time.sleep(0.02)


def test_a_connection_that_comes_about_late_carries_no_request(
    server_of: dict[Api, EmbeddingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection
    done = threading.Event()

    def late(*arguments: object, **more: object) -> socket.socket:
        time.sleep(0.4)
        done.set()
        return connect(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", late)
    with pytest.raises(EndpointError, match="wholly"):
        ask(server_of["tei"], patience=HASTE)
    assert done.wait(5)
    time.sleep(0.1)
    assert server_of["tei"].requests == []


def test_a_server_is_asked_over_one_connection(
    server_of: dict[Api, EmbeddingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection
    made: list[socket.socket] = []

    def counted(*arguments: object, **more: object) -> socket.socket:
        made.append(connect(*arguments, **more))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", counted)
    assert right(ask(server_of["tei"], per_request=1))
    assert len(made) == 1


def test_a_redirect_is_not_followed_and_the_key_stays(
    server_of: dict[Api, EmbeddingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    there = server_of["hf"]
    server_of["tei"].faults.append(Fault(faults.redirect(f"{there.url}{{path}}"), method="GET|POST"))
    with Endpoint(address(server_of["tei"], key_variable="SOME_KEY")) as endpoint:
        with pytest.raises(EndpointError, match=rf"redirects to '{there.url}/embed' \(status 302\)"):
            endpoint.embed(ASKED)
        with pytest.raises(EndpointError, match=rf"redirects to '{there.url}/info' \(status 302\)"):
            endpoint.claims()
    assert there.requests == []


def test_the_proxy_of_the_environment_is_used(
    server_of: dict[Api, EmbeddingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = server_of["tei"]  # a proxy is asked for whole URLs, of which the test server sees the path
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with Endpoint(Address(url="http://embeddings.invalid", api="tei"), patience=ONCE) as endpoint:
        assert right(endpoint.embed(ASKED))
    assert proxy.requests[0].headers["host"] == "embeddings.invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "gopher://user:hunter2@h"),
        ("HTTP_PROXY", "http://hunter2:port"),
        ("SSL_CERT_FILE", __file__),
    ],
)
def test_an_environment_that_cannot_be_used_is_the_callers(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"the proxy or the CA bundle .* cannot be used") as caught:
        Endpoint(Address(url="http://h", api="tei"))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


class TestTLS:
    """The bundle that the tests trust holds the server's certificate."""

    @pytest.fixture
    def server(self, certificate: Path | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingServer]:
        if certificate is None:
            pytest.skip("no library here makes certificates")
        # tests of another folder may have put a certificate of their own there
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with EmbeddingServer("tei", embed, tls=context) as server:
            yield server

    def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(
        self, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        message = r"has a certificate that is not trusted: self.signed certificate \("
        with pytest.raises(EndpointError, match=message):
            ask(server, patience=AGAIN)
        assert server.requests == []

    def test_a_bundle_of_the_environment_is_trusted(self, server: EmbeddingServer) -> None:
        assert right(ask(server))

    def test_but_not_for_another_name(self, server: EmbeddingServer) -> None:
        with pytest.raises(EndpointError, match="certificate that is not trusted: Hostname mismatch"):
            ask(server, url=server.url.replace("127.0.0.1", "localhost"))

    def test_a_drip_ends_over_tls_too(self, server: EmbeddingServer) -> None:
        server.faults.append(Fault(ours.dripped_headers(), method="POST", times=1))
        with Endpoint(address(server), patience=Patience(tries=1, request=1)) as endpoint:
            with pytest.raises(EndpointError, match="wholly within"):
                endpoint.embed(ASKED)
            # the old thread must not read from the new connection
            assert right(endpoint.embed(ASKED))

    def test_http_to_a_port_of_https_is_an_error(self, server: EmbeddingServer) -> None:
        with pytest.raises(EndpointError, match="broke off"):
            ask(server, url=server.url.replace("https", "http"))

    def test_https_to_a_port_of_http_is_an_error(self, server_of: dict[Api, EmbeddingServer]) -> None:
        with pytest.raises(EndpointError, match="was not reached"):
            ask(server_of["tei"], url=server_of["tei"].url.replace("http", "https"))
