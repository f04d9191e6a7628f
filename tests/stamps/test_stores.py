"""Stamps beside indexes of real vector stores: FAISS, LanceDB and Chroma, whichever are installed.

``python -m tox run -e stores`` installs all of them.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_integration import assert_stamp, check_stamp
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.errors import AnotherSpaceError
from hf_integration.stamps.stamp import Stamp
from tests.serving.conftest import Opened
from tests.serving.small_encoders import texts
from tests.stamps.conftest import LONG

DOCUMENTS = texts(20, seed=5)


def vectors(encoder: TorchEncoder, asked: list[str]) -> Any:
    return encoder.embed(asked).float().numpy()


class InFaiss:
    """An index is a file, and has no metadata: the stamp is a file beside it."""

    def __init__(self, folder: Path) -> None:
        self.faiss = pytest.importorskip("faiss", reason="faiss-cpu is not installed")
        self.folder = folder

    def make(self, encoder: TorchEncoder, stamp: Stamp) -> None:
        index = self.faiss.IndexFlatIP(stamp.dimensions)
        index.add(vectors(encoder, DOCUMENTS))
        self.faiss.write_index(index, str(self.folder / "documents.faiss"))
        (self.folder / "documents.stamp.json").write_text(str(stamp))

    def stamp(self) -> Any:
        return self.folder / "documents.stamp.json"

    def nearest(self, encoder: TorchEncoder, text: str) -> str:
        index = self.faiss.read_index(str(self.folder / "documents.faiss"))
        _, places = index.search(vectors(encoder, [text]), 1)
        return DOCUMENTS[int(places[0][0])]


class InLance:
    """A table's schema has metadata."""

    def __init__(self, folder: Path) -> None:
        self.lance = pytest.importorskip("lancedb", reason="lancedb is not installed")
        self.database = self.lance.connect(folder / "lance")

    def make(self, encoder: TorchEncoder, stamp: Stamp) -> None:
        import pyarrow as pa

        fields = [pa.field("vector", pa.list_(pa.float32(), stamp.dimensions)), pa.field("text", pa.string())]
        schema = pa.schema(fields, metadata={"sslauth_stamp": str(stamp)})
        rows = zip(vectors(encoder, DOCUMENTS).tolist(), DOCUMENTS, strict=True)
        data = [{"vector": vector, "text": text} for vector, text in rows]
        self.database.create_table("documents", data=data, schema=schema)

    def stamp(self) -> Any:
        return self.database.open_table("documents").schema.metadata[b"sslauth_stamp"].decode()

    def nearest(self, encoder: TorchEncoder, text: str) -> str:
        found = self.database.open_table("documents").search(vectors(encoder, [text])[0]).limit(1).to_list()
        return str(found[0]["text"])


class InChroma:
    """A collection has metadata, and so has its embedding function."""

    def __init__(self, folder: Path) -> None:
        chroma = pytest.importorskip("chromadb", reason="chromadb is not installed")
        settings = chroma.Settings(anonymized_telemetry=False)
        self.client = chroma.PersistentClient(path=str(folder / "chroma"), settings=settings)

    def make(self, encoder: TorchEncoder, stamp: Stamp) -> None:
        collection = self.client.create_collection("documents", metadata={"sslauth_stamp": str(stamp)})
        names = [str(place) for place in range(len(DOCUMENTS))]
        collection.add(ids=names, documents=DOCUMENTS, embeddings=vectors(encoder, DOCUMENTS))

    def stamp(self) -> Any:
        return self.client.get_collection("documents").metadata["sslauth_stamp"]

    def nearest(self, encoder: TorchEncoder, text: str) -> str:
        found = self.client.get_collection("documents").query(
            query_embeddings=vectors(encoder, [text]), n_results=1
        )
        return str(found["documents"][0][0])


@pytest.mark.parametrize("kind", [InFaiss, InLance, InChroma])
def test_an_index_keeps_its_stamp_and_queries_of_another_encoder_are_found(
    kind: Callable[[Path], Any], stamped: TorchEncoder, stamp: Stamp, opened: Opened, tmp_path: Path
) -> None:
    store = kind(tmp_path)
    store.make(stamped, stamp)
    kept = store.stamp()
    assert str(Stamp.load(kept)) == str(stamp)
    assert store.nearest(stamped, DOCUMENTS[7]) == DOCUMENTS[7]
    assert assert_stamp(kept, lambda asked: vectors(stamped, asked)).status == "same"
    another = opened(**LONG, dense=48, seed=7)
    # the store itself notices nothing: the width is right
    assert store.nearest(another, DOCUMENTS[7]) in DOCUMENTS
    with pytest.raises(AnotherSpaceError):
        assert_stamp(kept, lambda asked: vectors(another, asked))


@pytest.mark.parametrize("kind", [InFaiss, InLance, InChroma])
def test_the_widest_stamp_fits(kind: Callable[[Path], Any], stamp: Stamp, tmp_path: Path) -> None:
    """4,096 dimensions, as the widest encoders of the Hub have."""
    drawn = np.random.default_rng(0).standard_normal((len(stamp.texts), 4096)).astype(np.float32)
    wide = replace(stamp, embeddings=drawn.astype(np.float64))
    line = str(wide)

    class Drawn:
        def embed(self, asked: list[str]) -> Any:
            import torch

            return torch.from_numpy(np.resize(drawn, (len(asked), 4096)))

    store = kind(tmp_path)
    store.make(Drawn(), wide)
    assert str(Stamp.load(store.stamp())) == line
    assert 200_000 < len(line) < 300_000
    assert json.loads(line)["dimensions"] == 4096
    assert check_stamp(store.stamp(), lambda _: drawn).status == "same"
