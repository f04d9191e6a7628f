"""What a caller may say, and the URL that is asked for it."""

from typing import Any

import pytest

from hf_integration.base.text import is_plain
from hf_integration.base.urls import LONGEST_URL
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.endpoints import Address, Patience
from hf_integration.errors import UsageError

ROUTES = [
    ("openai", "http://h", "http://h/v1/embeddings"),
    ("openai", "http://h/", "http://h/v1/embeddings"),
    ("openai", "http://h/v1", "http://h/v1/embeddings"),
    ("openai", "http://h/v1/", "http://h/v1/embeddings"),
    ("openai", "http://h/v1/embeddings", "http://h/v1/embeddings"),
    ("openai", "http://h/v1/embeddings/", "http://h/v1/embeddings"),
    ("openai", "https://h:8443/a/openai/v1", "https://h:8443/a/openai/v1/embeddings"),
    ("openai", "https://h/v1beta/openai/embeddings", "https://h/v1beta/openai/embeddings"),
    ("openai", "https://h/v1beta/openai", "https://h/v1beta/openai/v1/embeddings"),
    ("openai", "http://h/my-v1", "http://h/my-v1/v1/embeddings"),
    ("tei", "http://h:8080", "http://h:8080/embed"),
    ("tei", "http://h:8080/embed", "http://h:8080/embed"),
    ("tei", "http://h/models/bge", "http://h/models/bge/embed"),
    ("ollama", "http://h:11434", "http://h:11434/api/embed"),
    ("ollama", "http://h:11434/api", "http://h:11434/api/embed"),
    ("ollama", "http://h:11434/api/embed", "http://h:11434/api/embed"),
    ("llamacpp", "http://[::1]:8080", "http://[::1]:8080/embedding"),
    ("cohere", "https://h", "https://h/v2/embed"),
    ("cohere", "https://h/v2", "https://h/v2/embed"),
    ("hf", "https://h/hf-inference", "https://h/hf-inference/models/org/name/pipeline/feature-extraction"),
    ("hf", "https://h/models", "https://h/models/org/name/pipeline/feature-extraction"),
    ("hf", "https://h/models/org/name", "https://h/models/org/name/pipeline/feature-extraction"),
]


@pytest.mark.parametrize(("api", "url", "route"), ROUTES)
def test_a_base_and_a_full_route_are_told_apart_by_how_they_end(api: Any, url: str, route: str) -> None:
    model = "org/name" if api in ("ollama", "cohere", "hf") else None
    assert Address(url=url, api=api, model=model).route == route


@pytest.mark.parametrize(
    "url", ["http://h/", "https://h/a/b", "https://h/models/a/pipeline/feature-extraction"]
)
def test_a_url_of_the_hubs_api_without_a_model_is_the_full_route(url: str) -> None:
    assert Address(url=url, api="hf").route == url


def test_routes_beside_that_for_embeddings() -> None:
    assert Address(url="http://h/v1", api="openai").beside("models") == "http://h/v1/models"
    assert Address(url="http://h/a", api="tei").beside("info") == "http://h/a/info"
    assert Address(url="http://h", api="ollama", model="m").beside("show") == "http://h/api/show"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "h:8080",
        "localhost:8080/v1",
        "ftp://h",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http:h",
        "http://h:port",
        "http://h:0",
        "http://h:99999",
        "http://[::1",
        "http://h/ v1",
        " http://h",
        "http://h\n",
        "http://h/\x1b[2J",
        "http://h\\evil",
        "http://h/a\\b",
        "http://bücher.example",
        "http://h%2eevil/",
        "http://h/" + "x" * LONGEST_URL,
    ],
)
def test_what_is_no_url_of_a_server_is_quoted_and_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is no URL of a server") as caught:
        Address(url=url, api="tei")
    assert is_plain(str(caught.value))
    assert len(str(caught.value)) < 300
    assert caught.value.exit_status == ExitStatus.USAGE


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://user:hunter2@h", "a user name or password"),
        ("htp://hunter2@h", "a user name or password"),
        ("https://hunter2@h/v1", "a user name or password"),
        ("https://h/v1?api_key=hunter2", "a query"),
        ("https://h/v1#hunter2", "a fragment"),
    ],
)
def test_what_may_be_a_secret_in_the_url_is_refused_and_not_quoted(url: str, what: str) -> None:
    with pytest.raises(UsageError, match=f"holds {what}") as caught:
        Address(url=url, api="tei")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"api": "grpc"}, "no API is called 'grpc' .*one of openai, tei, ollama, llamacpp, cohere, hf"),
        ({"api": "ollama"}, "the API ollama needs a model's name"),
        ({"api": "cohere"}, "the API cohere needs a model's name"),
        ({"api": "tei", "model": "m"}, "the API tei has no name of a model"),
        ({"api": "llamacpp", "model": "m"}, "the API llamacpp has no name of a model"),
        ({"api": "openai", "model": ""}, "'' is no name of a model"),
        ({"api": "openai", "model": "a\nb"}, r"'a\\nb' is no name of a model"),
        ({"api": "openai", "model": "m" * 301}, "is no name of a model"),
        ({"api": "hf", "model": "../../x/y"}, "is no repo id"),
        ({"api": "hf", "model": "a/b", "url": "http://h/feature-extraction"}, "the URL is a full route"),
        ({"api": "hf", "dimensions": 8}, "the API hf lets nobody choose dimensions"),
        ({"api": "llamacpp", "dimensions": 8}, "the API llamacpp lets nobody choose dimensions"),
        ({"api": "tei", "dimensions": 0}, r"0 dimensions \(1 to 16384"),
        ({"api": "tei", "dimensions": 16385}, r"16385 dimensions \(1 to 16384"),
    ],
)
def test_what_this_api_cannot_be_asked_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Address(**{"url": "http://h", **more})


def test_the_bounds_themselves_are_allowed() -> None:
    Address(url="http://h", api="tei", dimensions=1)
    Address(url="http://h", api="tei", dimensions=16_384)
    Address(url="http://h", api="openai", model="m" * 300)
    Address(url="http://h/" + "x" * (LONGEST_URL - 9), api="tei")


@pytest.mark.parametrize(
    ("url", "in_the_open"),
    [
        ("http://h", True),
        ("http://10.0.0.1:8080", True),
        ("http://localhost.evil.example", True),
        ("https://h", False),
        ("http://localhost:8080", False),
        ("http://127.1.2.3", False),
        ("http://[::1]:8080", False),
    ],
)
def test_http_to_another_machine_is_in_the_open(url: str, in_the_open: bool) -> None:
    assert Address(url=url, api="tei").in_the_open is in_the_open


@pytest.mark.parametrize("name", ["tries", "request", "total", "first_pause", "longest_pause"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 86_401])
def test_patience_without_a_bound_is_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"patience with an endpoint: {name} is "):
        Patience(**{name: value})  # type: ignore[arg-type]  # tries is an int
