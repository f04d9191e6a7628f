"""The service: documents by meaning, and titles while somebody types."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI
from pydantic import BaseModel

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """What embeds texts: a ``SentenceTransformer`` in this process."""

    def encode(self, texts: Sequence[str], *, normalize_embeddings: bool) -> Vectors:
        """One vector of length 1 for each text."""


class Document(BaseModel):
    """What is found."""

    title: str
    text: str


def create_app(search: Encoder, suggest: Encoder) -> FastAPI:
    """The web application.

    Args:
        search: embeds documents and queries.
        suggest: embeds titles and what was typed so far; smaller, so that it keeps up.
    """
    app = FastAPI(title="search-service")
    documents: list[Document] = []

    @app.post("/documents")
    def add(new: list[Document]) -> dict[str, int]:
        documents.extend(new)
        return {"documents": len(documents)}

    @app.get("/search")
    def find(q: str) -> list[Document]:
        return [documents[place] for place in _nearest(search, q, [one.text for one in documents])]

    @app.get("/suggest")
    def complete(q: str) -> list[str]:
        titles = [one.title for one in documents]
        return [titles[place] for place in _nearest(suggest, q, titles)]

    return app


def _nearest(encoder: Encoder, query: str, texts: Sequence[str], most: int = 3) -> list[int]:
    if not texts:
        return []
    vectors = encoder.encode([query, *texts], normalize_embeddings=True)
    return [int(place) for place in np.argsort(-(vectors[1:] @ vectors[0]))[:most]]
