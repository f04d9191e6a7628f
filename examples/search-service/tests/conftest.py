"""The service with the encoders that it ships, loaded as it loads them."""

from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="session")
def search() -> SentenceTransformer:
    """What embeds documents and queries."""
    return SentenceTransformer(str(MODELS / "search"), device="cpu")


@pytest.fixture(scope="session")
def suggest() -> SentenceTransformer:
    """What embeds titles."""
    return SentenceTransformer(str(MODELS / "suggest"), device="cpu")
