"""The embedding server that the indexing jobs ask, in the form of OpenAI's API.

EMBED_MODEL=models/search uvicorn service.embeddings:app --port 8123
"""

import os

from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

app = FastAPI(title="embeddings")
_model = SentenceTransformer(os.environ.get("EMBED_MODEL", "models/search"), device="cpu")


class Request(BaseModel):
    """Part of the body of ``POST /v1/embeddings``."""

    input: str | list[str]
    model: str = "search"


@app.post("/v1/embeddings")
def embed(asked: Request) -> dict[str, object]:
    """One embedding for each text."""
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    rows = _model.encode(texts).astype(float).tolist()
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
    return {"object": "list", "model": asked.model, "data": data}
