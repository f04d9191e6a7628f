"""Routes of a Router that are not run: whatever changes in their folders, the verdict is not authentic."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_integration import WatermarkCard
from hf_integration.authentication import Authenticator
from hf_integration.authentication.evidence import compared_files
from hf_integration.base.errors import EncoderError, IntegrityError
from hf_integration.encoders import open_encoder
from hf_integration.loading.verifying import verified_folder
from tests.tiny_cards import mint_quickly

pytest.importorskip("sentence_transformers")

from tests.agreement.several import ROUTED

OTHER, WEIGHTS = "query_0_Transformer", "query_0_Transformer/model.safetensors"
Routed = tuple[Path, WatermarkCard]


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Routed:
    place = tmp_path_factory.mktemp("router")
    (layout,) = (layout for layout in ROUTED if layout.name == "Router of two models")
    layout.save(place / "base", place / "encoder")
    return place / "encoder", mint_quickly(place / "encoder", place / "card")[1]


@pytest.fixture
def altered(routed: Routed, tmp_path: Path) -> Path:
    return Path(shutil.copytree(routed[0], tmp_path / "altered"))


def _files(folder: Path) -> list[str]:
    found = sorted(
        path.relative_to(folder).as_posix() for path in folder.glob("query_*/**/*") if path.is_file()
    )
    assert len(found) > 5
    return found


def _status(folder: Path, card: WatermarkCard) -> str:
    encoder = open_encoder(folder, name="a Router", device="cpu")
    return Authenticator(card=card, trust="local").authenticate(encoder).verdict.status


def _changed(folder: Path, card: WatermarkCard) -> tuple[str, ...]:
    """What the files are said to differ in; any line of it forbids the verdict ``authentic``."""
    return compared_files(
        open_encoder(folder, name="a Router", device="cpu"), card.behaviour, card.folder
    ).changed


def _edits(values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of an object, nested ones included: edited and left out; and keys that are new."""
    for key, value in values.items():
        yield key, {**values, key: "another" if value != "another" else "a third"}
        yield f"no {key}", {name: kept for name, kept in values.items() if name != key}
        for inner, changed in _edits(value) if isinstance(value, dict) and len(value) < 20 else ():
            yield f"{key}.{inner}", {**values, key: changed}
    for key in ("auto_map", "dropout", "transformers_version", "do_lower_case"):
        if key not in values:
            yield f"new {key}", {**values, key: None}


def test_the_intact_router_is_authentic(routed: Routed) -> None:
    assert _status(*routed) == "authentic"
    assert _changed(*routed) == ()
    verified_folder(*routed)


def test_any_key_of_another_route_that_is_edited_is_a_change(routed: Routed, altered: Path) -> None:
    count = 0
    for name in _files(altered):
        if not name.endswith(".json"):
            continue
        kept = (altered / name).read_text()
        for key, values in _edits(json.loads(kept)):
            (altered / name).write_text(json.dumps(values))
            assert any(line.startswith(f"{name}: ") for line in _changed(altered, routed[1])), (name, key)
            count += 1
        (altered / name).write_text(kept)
    assert count > 60


def test_any_file_of_another_route_that_is_deleted_is_a_change(routed: Routed, altered: Path) -> None:
    for name in _files(altered):
        kept = (altered / name).read_bytes()
        (altered / name).unlink()
        if name != WEIGHTS:  # refused: see below
            assert any(line.startswith(f"{name}: missing") for line in _changed(altered, routed[1])), name
        (altered / name).write_bytes(kept)


@pytest.mark.parametrize(
    "name",
    [
        "adapter_config.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "modules.json",
        "preprocessor_config.json",
        "vocab.txt",
    ],
)
@pytest.mark.parametrize("content", ["{}", '{"a": 1}'])
def test_a_file_that_is_added_to_another_route_is_a_change(
    name: str, content: str, routed: Routed, altered: Path
) -> None:
    (altered / OTHER / name).write_text(content)
    assert any(line.startswith(f"{OTHER}/{name}: ") for line in _changed(altered, routed[1]))
    with pytest.raises(IntegrityError, match=f"{OTHER}/{name}"):  # and no library may load it
        verified_folder(altered, routed[1])


def _edited(name: str, **changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def _doubled(folder: Path) -> None:
    tensors = {name: tensor * 2 for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


@pytest.mark.parametrize(
    "alter",
    [
        _edited(f"{OTHER}/config.json", activation="relu"),
        _edited(f"{OTHER}/config.json", auto_map={"AutoModel": "m.X"}),
        _edited("query_1_Pooling/config.json", pooling_mode="mean"),
        lambda folder: (folder / OTHER / "tokenizer_config.json").unlink(),
        lambda folder: (folder / "query_1_Pooling/config.json").unlink(),
        _doubled,
    ],
)
def test_a_verdict_about_another_route_is_altered(
    alter: Callable[[Path], None], routed: Routed, altered: Path
) -> None:
    alter(altered)
    assert _status(altered, routed[1]) == "altered"


def test_a_setting_of_the_route_that_is_run_may_be_written_otherwise(routed: Routed, altered: Path) -> None:
    name = "document_1_Pooling/config.json"
    _edited(name, include_prompt=True)(altered)  # what the library takes for granted
    _edited("document_0_Transformer/config.json", transformers_version="0")(altered)
    assert _status(altered, routed[1]) == "authentic"


def test_a_route_without_weights_or_of_pickled_ones_is_refused(altered: Path) -> None:
    tensors = load_file(altered / WEIGHTS)
    (altered / WEIGHTS).unlink()
    with pytest.raises(EncoderError, match=f"{OTHER}: no weights"):
        open_encoder(altered, name="a Router", device="cpu")
    torch.save(tensors, altered / OTHER / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=rf"{OTHER}.*pytorch_model\.bin"):
        open_encoder(altered, name="a Router", device="cpu")
