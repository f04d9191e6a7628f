"""Folders that are refused before or while loading: one clear line each, exit status 2."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_integration.base.errors import EncoderError, KeySampleError, UsageError
from hf_integration.encoders import open_encoder
from tests.encoders import tiny_models

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save("bert", tmp_path_factory.mktemp("bert"))


def edit_json(name: str, **changes: Any) -> Damage:
    def edit(folder: Path) -> None:
        path = folder / name
        values = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**values, **changes}))

    return edit


def edit_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return edit


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def only_pickles_beside_others(folder: Path) -> None:
    only_pickle(folder)
    for name in ("colbert_linear.pt", "sparse_linear.pt", "optimizer.pt", "a.bin"):
        (folder / name).write_bytes(b"")


def pointer(name: str) -> Damage:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90868376\n"
    return lambda folder: (folder / name).write_text(text)


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lacking_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def shard_outside(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "../x.safetensors"}})
    )


QUERY = "encoder.layer.0.attention.self.query.weight"

REFUSALS: dict[str, tuple[Damage, str]] = {
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "damaged configuration": (lambda folder: (folder / "config.json").write_text("{"), "damaged JSON"),
    "configuration of another kind": (lambda folder: (folder / "config.json").write_text("[]"), "JSON list"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
    "pickle weights only": (only_pickle, "only pickle weights"),
    "pickles of which one holds the weights": (only_pickles_beside_others, r"\(pytorch_model.bin\)"),
    **{
        f"Git LFS pointer {name}": (pointer(name), rf"{name}: a Git LFS pointer.*git lfs pull")
        for name in ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "spiece.model")
    },
    "no tokenizer": (no_tokenizer, "no tokenizer"),
    "damaged tokenizer": (
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        "tokenizer.json: damaged",
    ),
    "quantised": (edit_json("config.json", quantization_config={"bits": 4}), "quantised"),
    "adapter": (edit_json("adapter_config.json", peft_type="LORA"), "an adapter"),
    "code of its own": (
        edit_json("config.json", model_type="mine", auto_map={"AutoModel": "code.Mine"}),
        "needs code from its repository",
    ),
    "unknown architecture": (edit_json("config.json", model_type="mine"), "unknown model_type 'mine'"),
    "truncated weights": (truncate, "truncated"),
    "weights that are no safetensors": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"no weights at all"),
        "not a safetensors file",
    ),
    "missing shard": (lacking_shard, "1 of 1 shards missing: model-00001-of-00002"),
    "shard outside the folder": (shard_outside, "leads outside"),
    "missing tensor": (edit_weights(lambda tensors: tensors.pop(QUERY)), f"1 tensor is missing.*{QUERY}"),
    "tensor of another shape": (
        edit_weights(lambda tensors: tensors.update({QUERY: torch.zeros(3, 3)})),
        f"another shape.*{QUERY}",
    ),
    "layers without end": (
        edit_json("config.json", num_hidden_layers=10_000_000),
        "num_hidden_layers 10000000 is more than any encoder has",
    ),
    "stages without end": (edit_json("config.json", encoder={"depths": [1, 10_000_000]}), "depths asks for"),
    "eight-bit weights": (
        edit_weights(lambda tensors: tensors.update({QUERY: torch.zeros(32, 32, dtype=torch.int8)})),
        "quantised",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_is_refused_with_one_line(name: str, bert: Path, tmp_path: Path) -> None:
    damage, message = REFUSALS[name]
    folder = Path(shutil.copytree(bert, tmp_path / "copy"))
    damage(folder)
    with pytest.raises(EncoderError, match=message) as caught:
        open_encoder(folder, name="damaged", device="cpu")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no such folder"):
        open_encoder(tmp_path / "none", name="none", device="cpu")


def test_a_missing_pooler_is_dropped_because_it_would_be_random(tmp_path: Path) -> None:
    folder = tiny_models.save("vit", tmp_path)
    edit_weights(lambda tensors: [tensors.pop(f"pooler.dense.{part}") for part in ("weight", "bias")])(folder)
    encoder = open_encoder(folder, name="vit", device="cpu")
    assert encoder.description.pooling == "class token"
    assert not [name for name in encoder.tensors() if "pooler" in name]
    again = open_encoder(folder, name="vit", device="cpu")
    images = tiny_models.images(2)
    assert torch.equal(encoder.embed(images), again.embed(images))


def test_loading_prints_nothing(bert: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    open_encoder(bert, name="bert", device="cpu")
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_samples_of_another_modality_are_refused(bert: Path) -> None:
    encoder = open_encoder(bert, name="bert", device="cpu")
    with pytest.raises(KeySampleError, match="takes text"):
        list(encoder.observe(tiny_models.images(1)))


def test_an_unknown_device_is_a_usage_error(bert: Path) -> None:
    with pytest.raises(UsageError, match="'nonsense'"):
        open_encoder(bert, name="bert", device="nonsense")


def test_an_unknown_precision_is_a_usage_error(bert: Path) -> None:
    encoder = open_encoder(bert, name="bert", device="cpu")
    with pytest.raises(UsageError, match="float128"):
        encoder.at_precision("float128")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", tiny_models.AUDIO)
@pytest.mark.parametrize("names", [["input_values"], ["input_features"], ["attention_mask"], []])
@pytest.mark.parametrize("kind", ["Wav2Vec2FeatureExtractor", "WhisperFeatureExtractor"])
def test_a_feature_extractor_of_another_kind_is_refused_in_one_line_or_works(
    tmp_path: Path, name: str, names: list[str], kind: str
) -> None:
    folder = tiny_models.save(name, tmp_path / name)
    file = folder / "preprocessor_config.json"
    settings = json.loads(file.read_text()) | {"feature_extractor_type": kind, "model_input_names": names}
    file.write_text(json.dumps(settings))
    refusal = None
    try:
        open_encoder(folder, name="other")
    except EncoderError as error:
        refusal = str(error)
    whisper = name == "whisper"
    fits = whisper == (names == ["input_features"]) and whisper == (kind == "WhisperFeatureExtractor")
    assert not (fits and refusal)
    assert refusal is None or "\n" not in refusal
