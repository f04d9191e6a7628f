"""Other ways of saving: other files, the same encoder."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from hf_integration.base.errors import InconclusiveError
from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder, open_encoder
from hf_integration.encoders.files.safetensors_files import INDEX, SINGLE, weight_files
from hf_integration.stress.unaltered_files import WAYS, benign_files
from tests.encoders import tiny_models

Pair = tuple[Encoder, WatermarkCard]
BY_TRANSFORMERS = "saved and reloaded by transformers"
TINY = ("bert", "clip", "resnet", "wav2vec2", "whisper")
PARTS = ("clip", "whisper")
STORED = [name for name, (_, weights) in WAYS.items() if weights == "stored"]


def _rewritten(way: str, name: str, tmp_path: Path) -> tuple[Encoder, Path]:
    encoder = open_encoder(tiny_models.save(name, tmp_path / "encoder"), name=name, device="cpu")
    folder = tmp_path / "again"
    shutil.copytree(tmp_path / "encoder", folder)
    WAYS[way][0](encoder, folder)
    return encoder, folder


@pytest.mark.parametrize(
    ("way", "name"),
    [(way, name) for way in STORED for name in TINY if not (way == BY_TRANSFORMERS and name in PARTS)],
)
def test_another_way_of_saving_loads_as_the_same_values(way: str, name: str, tmp_path: Path) -> None:
    encoder, folder = _rewritten(way, name, tmp_path)
    again = open_encoder(folder, name=name, device="cpu")
    before, after = encoder.tensors(), again.tensors()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[n]) for n, tensor in before.items())
    if way != BY_TRANSFORMERS:  # which wrote the first file too
        first, second = (
            {file.name: file.read_bytes() for file in part.glob("*.safetensors")}
            for part in (tmp_path / "encoder", folder)
        )
        assert first != second


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_model_is_not_saved_as_another_kind(name: str, tmp_path: Path) -> None:
    with pytest.raises(InconclusiveError, match="is a part of a model"):
        _rewritten(BY_TRANSFORMERS, name, tmp_path)


def test_shards_are_of_about_one_size_and_all_in_the_index(tmp_path: Path) -> None:
    _, folder = _rewritten("weights in 3 shards", "bert", tmp_path)
    assert not (folder / SINGLE).exists()
    files = weight_files(folder)
    assert [file.name for file in files] == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) < 2 * min(sizes)
    assert set(json.loads((folder / INDEX).read_text())["weight_map"].values()) == {f.name for f in files}


def test_one_shard_is_the_file_under_another_name(tmp_path: Path) -> None:
    _, folder = _rewritten("weight file renamed, with an index", "bert", tmp_path)
    assert [file.name for file in weight_files(folder)] == ["model-00001-of-00001.safetensors"]


def test_shards_can_be_put_in_shards_again(tmp_path: Path) -> None:
    encoder, folder = _rewritten("weights in 3 shards", "bert", tmp_path)
    WAYS["weight file renamed, with an index"][0](encoder, folder)
    assert [file.name for file in folder.glob("*.safetensors")] == ["model-00001-of-00001.safetensors"]


def test_a_cast_that_the_card_cannot_judge_is_not_run(pair: Pair) -> None:
    changes = {change.name: change for change in benign_files(*pair, "bfloat16")}
    assert changes["weights cast to float16"].margin is None
    assert "no reference" in changes["weights cast to float16"].note
    assert (changes["weights cast to bfloat16"].margin or 0) > 1
    assert (changes["matrices cast to bfloat16, vectors kept"].margin or 0) > 1
    assert not any(change.false_alarm for change in changes.values())


def test_an_encoder_in_memory_has_no_files(pair: Pair) -> None:
    other = pair[0].duplicate()
    other.path = None
    assert not list(benign_files(other, pair[1], "float64"))
