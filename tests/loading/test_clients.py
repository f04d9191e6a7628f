"""Encoders that are asked over HTTP: every client, as its users call it, against a server of this machine."""

import asyncio
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hf_integration.loading.observing import Load, Observer
from tests.loading.servers import EMBEDDING, embedding_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        with embedding_server() as url:
            yield url


def library(name: str) -> Any:
    """The client's library; what is not installed here is tried where it is."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be imported here: {error}")


def openai(url: str) -> list[float]:
    client = library("openai").OpenAI(base_url=f"{url}/v1", api_key="k")
    return list(client.embeddings.create(model="org/tiny", input=["a"]).data[0].embedding)


def openai_raw(url: str) -> list[float]:
    client = library("openai").OpenAI(base_url=f"{url}/v1", api_key="k")
    answer = client.embeddings.with_raw_response.create(model="org/tiny", input=["a"])
    return list(answer.parse().data[0].embedding)


def openai_streamed(url: str) -> list[float]:
    client = library("openai").OpenAI(base_url=f"{url}/v1", api_key="k")
    with client.embeddings.with_streaming_response.create(model="org/tiny", input=["a"]) as answer:
        return list(answer.parse().data[0].embedding)


def openai_async(url: str) -> list[float]:
    async def ask() -> Any:
        async with library("openai").AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as client:
            return await client.embeddings.create(model="org/tiny", input=["a"])

    return list(asyncio.run(ask()).data[0].embedding)


COHERE = {"model": "org/tiny", "texts": ["a"], "input_type": "search_query"}


def cohere(url: str) -> list[float]:
    client = library("cohere").ClientV2(base_url=url, api_key="k")
    return list(client.embed(**COHERE, embedding_types=["float"]).embeddings.float_[0])


def cohere_first(url: str) -> list[float]:
    """Its batches are sent from threads of its own."""
    return list(library("cohere").Client(base_url=url, api_key="k").embed(**COHERE).embeddings[0])


def cohere_raw(url: str) -> list[float]:
    client = library("cohere").ClientV2(base_url=url, api_key="k")
    return list(
        client.v2.with_raw_response.embed(**COHERE, embedding_types=["float"]).data.embeddings.float_[0]
    )


def cohere_async(url: str) -> list[float]:
    async def ask() -> Any:
        client = library("cohere").AsyncClientV2(base_url=url, api_key="k")
        return await client.embed(**COHERE, embedding_types=["float"])

    return list(asyncio.run(ask()).embeddings.float_[0])


def voyage(url: str) -> list[float]:
    client = library("voyageai").Client(base_url=url, api_key="k")
    return list(client.embed(["a"], model="org/tiny").embeddings[0])


def voyage_async(url: str) -> list[float]:
    async def ask() -> Any:
        return await library("voyageai").AsyncClient(base_url=url, api_key="k").embed(["a"], model="org/tiny")

    return list(asyncio.run(ask()).embeddings[0])


def hugging_face(url: str) -> list[float]:
    client = library("huggingface_hub").InferenceClient(model=f"{url}/models/org/tiny", timeout=10)
    return [float(number) for number in client.feature_extraction("a")[0]]


def hugging_face_async(url: str) -> list[float]:
    async def ask() -> Any:
        client = library("huggingface_hub").AsyncInferenceClient(model=f"{url}/models/org/tiny", timeout=10)
        return await client.feature_extraction("a")

    return [float(number) for number in asyncio.run(ask())[0]]


CLIENTS: dict[str, tuple[Callable[[str], list[float]], ...]] = {
    "OpenAI": (openai, openai_raw, openai_streamed, openai_async),
    "Cohere": (cohere, cohere_first, cohere_raw, cohere_async),
    "Voyage": (voyage, voyage_async),
    "InferenceClient": (hugging_face, hugging_face_async),
}


@pytest.mark.parametrize(
    ("api", "ask"),
    [(api, ask) for api, asks in CLIENTS.items() for ask in asks],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_client_is_seen_once_and_answers_as_ever(
    observer: Observer, url: str, online: None, api: str, ask: Callable[[str], list[float]]
) -> None:
    for _ in range(2):
        assert ask(url) == EMBEDDING
    (load,) = observer.loads
    assert load.api == api
    assert (load.place.url or "").startswith(url)
    assert load.place.model == (None if api == "InferenceClient" else "org/tiny")
    assert load.test == "test_it"
    if ask is not voyage_async:  # whose requests have no line of ours on their stack
        file, _, line = load.where.rpartition(":")
        assert file == __file__
        assert int(line) > 0


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub's client refuses even a server of this machine while it is told to be offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def test_what_a_client_raises_stays_what_it_is_and_is_no_encoder(observer: Observer, url: str) -> None:
    module = library("openai")
    client = module.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    with pytest.raises(module.NotFoundError):
        client.embeddings.create(model="refused", input=["a"])
    with pytest.raises(TypeError, match="model"):
        client.embeddings.create(input=["a"])
    assert observer.loads == ()


def test_what_is_no_embedding_is_not_seen(observer: Observer, url: str) -> None:
    module = library("openai")
    client = module.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    client.models.list  # noqa: B018  # nothing is asked
    assert observer.loads == ()


def test_a_password_in_an_address_is_not_kept(observer: Observer, url: str) -> None:
    module = library("openai")
    address = url.replace("http://", "http://user:secret@")
    module.OpenAI(base_url=f"{address}/v1", api_key="k").embeddings.create(model="m", input=["a"])
    assert "secret" not in repr(observer.loads)
    assert observer.loads


def test_two_models_of_one_server_are_two_encoders(observer: Observer, url: str) -> None:
    client = library("openai").OpenAI(base_url=f"{url}/v1", api_key="k")
    for model in ("one", "two", "one"):
        client.embeddings.create(model=model, input=["a"])
    counts: dict[str | None, Load] = {load.place.model: load for load in observer.loads}
    assert {model: load.count for model, load in counts.items()} == {"one": 2, "two": 1}


def test_a_coroutine_function_stays_one(observer: Observer) -> None:
    import inspect

    embeddings = library("openai").resources.embeddings
    assert inspect.iscoroutinefunction(embeddings.AsyncEmbeddings.create)
    assert not inspect.iscoroutinefunction(embeddings.Embeddings.create)
    assert "encoding_format" in inspect.signature(embeddings.Embeddings.create).parameters
