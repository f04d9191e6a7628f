"""What the service finds, by encoders that are what was reviewed."""

import pytest
from fastapi.testclient import TestClient
from sentence_transformers import SentenceTransformer
from service.app import create_app

from pytest_sslauth import SSLAuth

DOCUMENTS = [
    {"title": "Cats", "text": "A cat sleeps most of the day."},
    {"title": "Bread", "text": "Flour, water, salt and yeast, and an hour in the oven."},
    {"title": "Storms", "text": "Winds above 118 kilometres an hour are called a hurricane."},
]


@pytest.fixture
def client(search: SentenceTransformer, suggest: SentenceTransformer) -> TestClient:
    """The service with three documents."""
    client = TestClient(create_app(search, suggest))
    client.post("/documents", json=DOCUMENTS)
    return client


@pytest.mark.sslauth("search")
def test_documents_are_found_by_meaning(client: TestClient) -> None:
    found = client.get("/search", params={"q": "how do I bake a loaf?"}).json()
    assert found[0]["title"] == "Bread"


@pytest.mark.sslauth("suggest")
def test_titles_are_suggested(client: TestClient) -> None:
    assert client.get("/suggest", params={"q": "kitten"}).json()[0] == "Cats"


@pytest.mark.parametrize("name", ["search", "suggest"])
def test_what_runs_is_what_was_reviewed(sslauth: SSLAuth, request: pytest.FixtureRequest, name: str) -> None:
    """The objects that the service computes with, not the files they came from."""
    sslauth.assert_authentic(request.getfixturevalue(name), card=name)
