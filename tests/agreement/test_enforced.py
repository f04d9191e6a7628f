"""Pinned encoders of these layouts, verified while the library loads them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from hf_integration import enforce
from hf_integration.errors import LoadRefusedError

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")

ALTERED = {
    "CrossEncoder": "model.safetensors",
    "Dense on tokens": "1_Dense/model.safetensors",
    "Router, document": "query_0_StaticEmbedding/model.safetensors",
}
"""A layout, and one of its weight files; the last one is of a route that is not run."""


def pinned(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Mint a layout, pin it in a working directory, and give what loads it there."""
    from tests.agreement.checking import minted
    from tests.agreement.comparing import loaded
    from tests.agreement.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.name == name)
    minted(layout, place)
    digest = hashlib.sha256((place / "card" / "card.json").read_bytes()).hexdigest()
    lines = ('path = "encoder"', 'card = "card"', f'card_digest = "sha256:{digest}"')
    (place / "sslauth.toml").write_text("\n".join(("version = 1", "[encoders.pinned]", *lines, "")))
    monkeypatch.chdir(place)
    return lambda: loaded(layout, Path("encoder"))


@pytest.mark.parametrize("name", ALTERED)
def test_it_is_loaded_and_an_altered_weight_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = pinned(name, tmp_path, monkeypatch)
    with enforce(unpinned="refuse"):
        for _ in range(2):  # what was compared is kept
            load()
    file = tmp_path / "encoder" / ALTERED[name]
    tensors = load_file(file)
    tensors[min(tensors)].view(-1)[0] += 1e-6
    save_file(tensors, file, metadata={"format": "pt"})
    with enforce(), pytest.raises(LoadRefusedError, match="differ"):
        load()


def test_a_table_of_tokens_cannot_be_verified_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = pinned("StaticEmbedding", tmp_path, monkeypatch)
    with enforce(), pytest.raises(LoadRefusedError, match="no model of transformers"):
        load()
