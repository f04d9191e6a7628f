"""Layouts without a model in the root of their repository are loaded from a Hub as from a folder."""

from pathlib import Path

import pytest
import torch

from hf_integration.encoders import load_encoder
from tests.hub_server import HubServer

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")


@pytest.mark.parametrize(
    "name", ["Router, document", "Router, query by a table", "model2vec", "StaticEmbedding"]
)
def test_a_repository_embeds_as_the_folder_does(name: str, tmp_path: Path, hub_here: HubServer) -> None:
    from tests.agreement.comparing import TEXTS
    from tests.agreement.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.name == name)
    layout.save(tmp_path / "base", tmp_path / "saved")
    files = [path for path in sorted((tmp_path / "saved").rglob("*")) if path.is_file()]
    hub_here.create(
        "org/encoder", {path.relative_to(tmp_path / "saved").as_posix(): path.read_bytes() for path in files}
    )
    found = load_encoder("org/encoder", device="cpu", cache_dir=tmp_path / "cache").embed(TEXTS)
    assert torch.equal(found, load_encoder(str(tmp_path / "saved"), device="cpu").embed(TEXTS))
