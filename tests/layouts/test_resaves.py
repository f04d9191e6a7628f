"""What standard libraries write for a folder that they loaded is the same encoder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers as hf
from sentence_transformers import SentenceTransformer

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.encoders import open_encoder
from tests.layouts.building import LAYOUTS, Layout

Minted = Callable[[str], tuple[Layout, Path, WatermarkCard]]


def by_the_class_that_is_named(folder: Path, copy: Path) -> None:
    (name,) = json.loads((folder / "config.json").read_text())["architectures"]
    saved(getattr(hf, name), folder, copy)


def saved(kind: Any, folder: Path, copy: Path) -> None:
    shutil.copytree(folder, copy)
    kind.from_pretrained(folder).save_pretrained(copy)


def by_sentence_transformers(folder: Path, copy: Path) -> None:
    SentenceTransformer(str(folder), device="cpu").save(str(copy))


SENTENCES = ("MiniLM", "mpnet", "e5 (XLM-R)", "bge", "Qwen3-Embedding", "EmbeddingGemma")
WAYS: dict[str, Callable[[Path, Path], None]] = {
    "the encoder alone": lambda folder, copy: saved(hf.AutoModel, folder, copy),
    "the class that is named": by_the_class_that_is_named,
    "sentence-transformers": by_sentence_transformers,
}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        (layout.name, way)
        for layout in LAYOUTS
        for way in WAYS
        if way != "sentence-transformers" or layout.name in SENTENCES
    ],
)
def test_a_folder_that_was_loaded_and_saved_is_authentic(
    minted: Minted, name: str, way: str, tmp_path: Path
) -> None:
    layout, folder, card = minted(name)
    WAYS[way](folder, tmp_path / "copy")
    encoder = open_encoder(tmp_path / "copy", name="copy", device="cpu", modality=layout.modality)
    verdict = Authenticator(card=card, trust="local", precision="float32").authenticate(encoder).verdict
    assert verdict.authentic, verdict.reason
