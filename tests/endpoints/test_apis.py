"""What each API is asked, and what is made of its right answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hf_integration.base.text import is_plain
from hf_integration.base.vocabulary import MOST_WIDTH
from hf_integration.endpoints import APIS, Address, Api, Endpoint
from hf_integration.endpoints.answers import most_bytes, to_array
from hf_integration.endpoints.apis import DIALECTS
from hf_integration.errors import EndpointError, UsageError
from tests.endpoints import faults as ours
from tests.endpoints.asking import ALL, ASKED, ONCE, WITH_MODEL, address, ask, embed, right
from tests.endpoints.server import MODEL, MOST, EmbeddingServer, in_base64
from tests.hub_server import faults
from tests.hub_server.faults import Fault

BODIES: dict[Api, dict[str, Any]] = {
    "openai": {"input": ASKED, "model": MODEL, "encoding_format": "float"},
    "tei": {"inputs": ASKED, "truncate": True},
    "ollama": {"input": ASKED, "model": MODEL},
    "llamacpp": {"content": ASKED},
    "cohere": {
        "texts": ASKED,
        "model": MODEL,
        "input_type": "search_document",
        "embedding_types": ["float"],
    },
    "hf": {"inputs": ASKED},
}
CHOOSING: dict[Api, str] = {
    "openai": "dimensions",
    "tei": "dimensions",
    "ollama": "dimensions",
    "cohere": "output_dimension",
}


def test_there_is_a_test_for_every_api() -> None:
    assert set(ALL) == set(APIS) == set(DIALECTS) == set(BODIES)


@pytest.mark.parametrize("api", ALL)
@pytest.mark.parametrize("per_request", [1, 2, 3, 50])
def test_embeddings_come_in_the_order_of_the_texts(
    api: Api, per_request: int, server_of: dict[Api, EmbeddingServer]
) -> None:
    answers = ask(server_of[api], per_request=per_request)
    assert right(answers)
    assert answers.wire == "json"
    assert answers.requests == len(server_of[api].requests) == -(-3 // per_request)
    assert 0 < answers.seconds < 5


@pytest.mark.parametrize("api", ALL)
def test_the_request_is_the_documented_one(api: Api, server_of: dict[Api, EmbeddingServer]) -> None:
    ask(server_of[api])
    (request,) = server_of[api].requests
    assert request.json() == BODIES[api]
    assert request.headers["content-type"] == request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("api", ALL)
def test_one_text_is_asked_as_a_list_too(api: Api, server_of: dict[Api, EmbeddingServer]) -> None:
    with Endpoint(address(server_of[api]), patience=ONCE) as endpoint:
        assert np.array_equal(
            endpoint.embed(["é \N{GRINNING FACE} \x00"]).embeddings, embed(["é \N{GRINNING FACE} \x00"])
        )


@pytest.mark.parametrize("api", ALL)
def test_no_request_has_more_texts_than_the_api_takes(
    api: Api, server_of: dict[Api, EmbeddingServer]
) -> None:
    texts = ["x" * length for length in range(1, 300)]
    with Endpoint(address(server_of[api]), patience=ONCE) as endpoint:
        answers = endpoint.embed(texts, per_request=10_000)
    assert answers.embeddings[:, 0].tolist() == list(range(1, 300))
    most = min(MOST[api], 128)
    assert answers.requests == len(server_of[api].requests) == -(-299 // most)


@pytest.mark.parametrize("api", sorted(CHOOSING))
def test_dimensions_are_asked_for(api: Api, server_of: dict[Api, EmbeddingServer]) -> None:
    assert ask(server_of[api], dimensions=2).embeddings.shape == (3, 2)
    assert server_of[api].requests[0].json()[CHOOSING[api]] == 2


def test_a_server_that_ignores_dimensions_is_not_taken_at_its_word(
    server_of: dict[Api, EmbeddingServer],
) -> None:
    with pytest.raises(EndpointError, match="answered with 4 dimensions where 16 were asked for"):
        ask(server_of["openai"], dimensions=16)


@pytest.mark.parametrize("per_request", [1, 3])
def test_base64_is_understood_where_a_server_ignores_what_was_asked(
    per_request: int, server_of: dict[Api, EmbeddingServer]
) -> None:
    server_of["openai"].base64 = True
    answers = ask(server_of["openai"], per_request=per_request)
    assert right(answers)
    assert answers.wire == "base64"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AACAPw", "not base64"),
        ("AACA\nPw==", "not base64"),
        ("é", "not base64"),
        ("AACAPwA=", "5 bytes of base64"),
        ("", "0 numbers"),
        (in_base64([float("nan")]), "not finite"),
        (in_base64([float("-inf")]), "not finite"),
        (in_base64([0.0] * (MOST_WIDTH + 1)), f"{MOST_WIDTH + 1} numbers"),
    ],
)
def test_base64_is_read_strictly(text: str, message: str, server_of: dict[Api, EmbeddingServer]) -> None:
    change = faults.edited(lambda answer: {**answer, "data": [{"index": 0, "embedding": text}]})
    server_of["openai"].faults.append(Fault(change, method="POST"))
    with pytest.raises(EndpointError, match=message), Endpoint(address(server_of["openai"])) as endpoint:
        endpoint.embed(["x"])


def test_numbers_in_two_ways_and_widths_are_refused_over_requests_too(
    server_of: dict[Api, EmbeddingServer],
) -> None:
    server = server_of["openai"]
    server.faults.append(Fault(ours.embedding(in_base64), method="POST", times=1))
    with pytest.raises(EndpointError, match=r"some are base64"):
        ask(server, per_request=1)
    server.faults[:] = [Fault(ours.embedding(lambda row: row[:-1]), method="POST", times=1)]
    with pytest.raises(EndpointError, match=r"embeddings of 3 and of 4 numbers"):
        ask(server, per_request=1)


def test_the_older_shape_of_llamacpp_is_understood(server_of: dict[Api, EmbeddingServer]) -> None:
    flat = ours.rows(lambda rows: [{**row, "embedding": row["embedding"][0]} for row in rows])
    server_of["llamacpp"].faults.append(Fault(flat, method="POST"))
    assert right(ask(server_of["llamacpp"]))


def test_the_widest_embeddings_fit_with_every_digit() -> None:
    row = [-1.2345678901234567e-308] * MOST_WIDTH
    assert len(str([row] * 2)) < most_bytes(2)
    assert to_array([row, row])[0].shape == (2, MOST_WIDTH)


@pytest.mark.parametrize("texts", [[], ["x"]])
def test_nothing_to_ask_is_a_wrong_question(
    texts: Sequence[str], server_of: dict[Api, EmbeddingServer]
) -> None:
    with Endpoint(address(server_of["tei"])) as endpoint, pytest.raises(UsageError, match="nothing to ask"):
        endpoint.embed(texts, per_request=len(texts) - 1)


class TestClaims:
    def claims(self, server: EmbeddingServer, **more: Any) -> dict[str, str]:
        with Endpoint(address(server, **more), patience=ONCE) as endpoint:
            return dict(endpoint.claims())

    def test_what_servers_say_of_themselves(self, server_of: dict[Api, EmbeddingServer]) -> None:
        assert {api: self.claims(server_of[api]) for api in ALL} == {
            "openai": {"model": MODEL, "root": "/models/tiny", "owned_by": "vllm", "created": "1700000000"},
            "tei": {
                "model": MODEL,
                "revision": "0" * 40,
                "dtype": "float16",
                "pooling": "cls",
                "longest_input": "512",
                "server": "1.8.0",
            },
            "ollama": {
                "architecture": "bert",
                "family": "bert",
                "format": "gguf",
                "parameters": "23M",
                "quantization": "F16",
                "modified": "2025-01-01T00:00:00Z",
            },
            "llamacpp": {"model": "/models/tiny.gguf", "server": "b5000-abcdef"},
            "cohere": {},
            "hf": {},
        }

    def test_ollama_is_asked_about_the_model(self, server_of: dict[Api, EmbeddingServer]) -> None:
        self.claims(server_of["ollama"])
        assert server_of["ollama"].requests[0].json() == {"model": MODEL}

    def test_a_full_route_leads_to_the_same_claims(self, server_of: dict[Api, EmbeddingServer]) -> None:
        server = server_of["tei"]
        assert self.claims(server, url=f"{server.url}/embed") == self.claims(server)

    def test_of_several_models_none_is_meant(self, server_of: dict[Api, EmbeddingServer]) -> None:
        assert self.claims(server_of["openai"], model=None) == {}
        assert self.claims(server_of["openai"], model="third") == {}

    @pytest.mark.parametrize("status", [404, 405])
    def test_a_server_without_the_route_claims_nothing(
        self, status: int, server_of: dict[Api, EmbeddingServer]
    ) -> None:
        server_of["tei"].faults.append(Fault(faults.status(status)))
        assert self.claims(server_of["tei"]) == {}

    @pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'"x"', b'{"data": [1, {}], "model_type": []}'])
    @pytest.mark.parametrize("api", ["openai", "tei", "ollama", "llamacpp"])
    def test_what_is_missing_or_of_another_kind_is_left_out(
        self, api: Api, body: bytes, server_of: dict[Api, EmbeddingServer]
    ) -> None:
        server_of[api].faults.append(Fault(ours.answers(body), method="GET|POST"))
        assert self.claims(server_of[api]) == {}

    def test_hostile_strings_are_plain_and_short(self, server_of: dict[Api, EmbeddingServer]) -> None:
        body = rb'{"model_id": "\u001b[2J\u202e' + b"x" * 10_000 + rb'", "model_sha": {}, "version": ""}'
        server_of["tei"].faults.append(Fault(ours.answers(body)))
        (model,) = self.claims(server_of["tei"]).values()
        assert model.startswith(r"\x1b[2J\u202ex")
        assert is_plain(model)
        assert len(model) < 150

    @pytest.mark.parametrize(
        ("behaviour", "message"),
        [
            (faults.html(), "HTML"),
            (faults.status(401), "asks for a key"),
            (faults.status(500), "the server failed"),
            (faults.reset(), "broke off"),
            (ours.answers(b" " * (5 << 20)), "more than the 4194304 bytes"),
            (ours.answers(b"[" + b"1," * 250_000 + b"1]"), "more than 200000 values"),
        ],
    )
    def test_other_faults_are_errors(
        self, behaviour: faults.Behaviour, message: str, server_of: dict[Api, EmbeddingServer]
    ) -> None:
        server_of["tei"].faults.append(Fault(behaviour))
        with pytest.raises(EndpointError, match=message):
            self.claims(server_of["tei"])


def test_models_are_named_where_the_api_has_names() -> None:
    assert {api for api in APIS if DIALECTS[api].names_model} == set(WITH_MODEL)
    assert Address(url="http://h", api="openai").route == "http://h/v1/embeddings"
