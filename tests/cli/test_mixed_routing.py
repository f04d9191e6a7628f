"""Servers that answer some requests otherwise than others, and how many requests it takes to notice that."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from hf_integration.serving.recipe import Recipe
from tests.cli.conftest import Ended
from tests.endpoints.encoders import serving
from tests.endpoints.server import EmbeddingServer
from tests.hub_server.faults import Fault
from tests.hub_server.messages import Reply, Request

Run = Callable[..., Ended]

Embed = Callable[[list[str]], list[list[float]]]


def asked(
    sslauth: Run, server: EmbeddingServer, *more: str, keys: tuple[str, ...] = ("--keys", "24")
) -> Ended:
    return sslauth("verify", "./tiny", "--endpoint", server.url, "--api", "tei", *keys, *more)


def report(ended: Ended) -> Any:
    return json.loads(ended.out)


@pytest.fixture
def replicas(here: Path) -> tuple[Embed, Embed, Embed]:
    """The right one, one in float16 weights, and another encoder."""
    return (
        serving(here / "tiny"),
        serving(here / "tiny", Recipe(weights="float16")),
        serving(here / "altered"),
    )


class TestReplicasThatDiffer:
    @pytest.mark.parametrize(("stated", "exit_status"), [(("--serving", "torch"), 1), ((), 3)])
    def test_are_counted_by_the_answers_to_one_text(
        self, sslauth: Run, replicas: tuple[Embed, ...], stated: tuple[str, ...], exit_status: int
    ) -> None:
        times: Counter[str] = Counter()
        one_at_a_time = Lock()  # requests come side by side

        def embed(texts: list[str]) -> list[list[float]]:
            with one_at_a_time:
                times.update(texts)
                asked_before = [times[text] - 1 for text in texts]
            return [replicas[count % 3]([text])[0] for text, count in zip(texts, asked_before, strict=True)]

        with EmbeddingServer("tei", embed) as server:
            ended = asked(sslauth, server, *stated)
        assert ended.status == exit_status, ended.out
        assert "the same text gave 3 different answers in 4 requests" in ended.out

    @pytest.mark.parametrize(("stated", "exit_status"), [(("--serving", "torch"), 1), ((), 3)])
    def test_a_server_that_answers_batches_otherwise_is_named(
        self, sslauth: Run, replicas: tuple[Embed, ...], stated: tuple[str, ...], exit_status: int
    ) -> None:
        def embed(texts: list[str]) -> list[list[float]]:
            return replicas[0 if len(texts) == 1 else 2](texts)

        with EmbeddingServer("tei", embed) as server:
            ended = asked(sslauth, server, *stated)
        assert ended.status == exit_status, ended.out
        assert "3 of 24 answers are not this encoder's, and the others are" in ended.out
        assert "if a text is not alone in its request" in ended.out

    def test_what_was_right_once_has_to_be_right_again(
        self, sslauth: Run, replicas: tuple[Embed, ...]
    ) -> None:
        seen: set[str] = set()
        one_at_a_time = Lock()  # requests come side by side

        def embed(texts: list[str]) -> list[list[float]]:
            with one_at_a_time:
                places = [2 if text in seen else 0 for text in texts]
                seen.update(texts)
            return [replicas[place]([text])[0] for text, place in zip(texts, places, strict=True)]

        with EmbeddingServer("tei", embed) as server:
            ended = asked(sslauth, server, "--serving", "torch")
        assert ended.status == 1, ended.out
        assert "the same text gave 2 different answers" in ended.out

    def test_one_request_of_many_is_counted(self, sslauth: Run, replicas: tuple[Embed, ...]) -> None:
        count = 0

        def embed(texts: list[str]) -> list[list[float]]:
            nonlocal count
            count += len(texts) == 1
            return replicas[2 if len(texts) == 1 and count == 10 else 0](texts)

        with EmbeddingServer("tei", embed) as server:
            ended = asked(sslauth, server, "--serving", "torch")
        assert ended.status == 1, ended.out
        assert "1 of 24 answers are not this encoder's, and the others are" in ended.out


def test_a_server_that_takes_no_batches_is_asked_one_by_one(sslauth: Run, here: Path) -> None:
    def one_text_only(request: Request, answer: Callable[[], Reply]) -> Reply:
        refusal = {"error": "batch size 6 > maximum allowed batch size 1", "error_type": "Validation"}
        return Reply.of(refusal, 422) if len(json.loads(request.body)["inputs"]) > 1 else answer()

    with EmbeddingServer("tei", serving(here / "tiny")) as server:
        server.faults.append(Fault(one_text_only, method="POST"))
        ended = asked(sslauth, server, "--format", "json")
    said = report(ended)
    assert ended.status == 0, ended.out
    assert "the server refused 3 requests with several texts" in said["reason"]
    assert said["key_samples"] == {"run": 21, "of": 24}
    assert said["deployment"]["unnoticed"] == pytest.approx(1 - 0.01 ** (1 / 21))


class TestNotice:
    @pytest.mark.parametrize(
        ("options", "requests", "confidence"),
        [
            (("--notice", "0.05"), 90, 0.99),
            (("--notice", "0.05", "--confidence", "0.95"), 59, 0.95),
            (("--notice", "0.9"), 8, 0.99),
        ],
    )
    def test_takes_so_many_requests_and_says_what_goes_unnoticed(
        self, sslauth: Run, here: Path, options: tuple[str, ...], requests: int, confidence: float
    ) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            ended = asked(sslauth, server, *options, "--format", "json", keys=())
        found = report(ended)["deployment"]
        assert (ended.status, found["requests"], found["confidence"]) == (0, requests, confidence)
        assert found["unnoticed"] == pytest.approx(1 - (1 - confidence) ** (1 / requests))
        assert found["unnoticed"] <= float(options[1])
        assert len([request for request in server.requests if request.method == "POST"]) == requests

    def test_is_said_in_the_report(self, sslauth: Run, here: Path) -> None:
        with EmbeddingServer("tei", serving(here / "tiny")) as server:
            ended = asked(sslauth, server, "--confidence", "0.9", "--spread", "1s")
        assert ended.status == 0
        assert "another encoder behind up to 9.1 % of requests (90 % sure)" in ended.out

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--notice", "0.05", "--keys", "24"), "--notice and --keys both say"),
            (("--notice", "0"), "must lie between 0 and 1"),
            (("--notice", "1"), "must lie between 0 and 1"),
            (("--notice", "nan"), "must lie between 0 and 1"),
            (("--notice", "0.05", "--confidence", "1"), "must lie between 0 and 1"),
            (("--confidence", "1.5"), "--confidence 1.5"),
            (("--confidence", "nan"), "--confidence nan"),
            (("--notice", "1e-300"), "more than 1024"),
            (("--notice", "0.001"), "takes 4603 requests, more than 1024"),
            (("--spread", "10"), "--spread '10': not a span of time"),
        ],
    )
    @pytest.mark.usefixtures("here")
    def test_what_makes_no_sense_is_one_line(self, sslauth: Run, options: tuple[str, ...], said: str) -> None:
        ended = sslauth("verify", "./tiny", "--endpoint", "http://127.0.0.1:9", "--api", "tei", *options)
        assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 1)
        assert said in ended.err

    @pytest.mark.parametrize("option", [("--notice", "0.05"), ("--confidence", "0.9"), ("--spread", "10m")])
    @pytest.mark.usefixtures("here")
    def test_is_for_endpoints(self, sslauth: Run, option: tuple[str, str]) -> None:
        ended = sslauth("verify", "./tiny", *option)
        assert ended.status == 2
        assert "add --endpoint URL" in ended.err
