"""What the tests ask, and what must come back."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hf_integration.endpoints import Address, Answers, Api, Endpoint, Patience
from tests.endpoints.server import MODEL, EmbeddingServer

ASKED = ["the first", "the second", "the third"]

ONCE = Patience(tries=1, request=10, total=20)
"""A server is asked once, and has more time than it needs."""

HASTE = Patience(tries=1, request=0.1, total=20)
"""The same for servers that would take for ever."""

WITH_MODEL = ("openai", "ollama", "cohere", "hf")


def embed(texts: list[str]) -> list[list[float]]:
    """Four numbers that float32 holds exactly; the first marks the text."""
    marks = [1001.0 + ASKED.index(text) if text in ASKED else float(len(text)) for text in texts]
    return [[mark, -0.25, 0.0, 0.0009765625] for mark in marks]


def address(server: EmbeddingServer, **more: Any) -> Address:
    """The server's address, with a model where its API has one."""
    model = MODEL if server.api in WITH_MODEL else None
    return Address(**{"url": server.url, "api": server.api, "model": model, **more})


def ask(
    server: EmbeddingServer,
    *,
    patience: Patience = ONCE,
    per_request: int = 3,
    say: Callable[[str], None] = lambda _: None,
    **more: Any,
) -> Answers:
    """The answers to :data:`ASKED`, which share one request."""
    with Endpoint(address(server, **more), patience=patience, say=say) as endpoint:
        return endpoint.embed(ASKED, per_request=per_request)


def right(answers: Answers) -> bool:
    """Whether these are the embeddings of :data:`ASKED`, in their order."""
    return answers.embeddings.dtype == np.float64 and np.array_equal(answers.embeddings, embed(ASKED))


ALL: tuple[Api, ...] = ("openai", "tei", "ollama", "llamacpp", "cohere", "hf")
