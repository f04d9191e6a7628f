"""What is said of weights that are there, but in a form that is not loaded, in folders and repositories."""

import json
import os
import shutil
from pathlib import Path

import pytest

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import open_encoder
from hf_integration.snapshot import refuse_other_formats
from hf_integration.snapshot.selection import ENDINGS, FORMATS, OTHER_NAME, PICKLE
from tests.encoders.test_sentence_folders import write

SAID = {
    "onnx/model.onnx": "format of ONNX (onnx/model.onnx)",
    "model.onnx_data": "format of ONNX",
    "tf_model.h5": "format of TensorFlow (tf_model.h5)",
    "saved_model/saved_model.pb": "format of TensorFlow",
    "flax_model.msgpack": "format of Flax",
    "rust_model.ot": "format of rust-bert",
    "model-q4.gguf": "format of GGUF (model-q4.gguf)",
    "ggml-base.bin": "format of GGUF",
    "openvino/openvino_model.bin": "format of OpenVINO",
    "other.bin other.xml": "format of OpenVINO",
    "model.bin vocabulary.json": "format of CTranslate2 (model.bin)",
    "model.mlpackage/Data/weights/weight.bin": "format of Core ML",
    "weights.npz": "format of NumPy",
    "model.engine": "format of TensorRT",
    "model.pte": "format of ExecuTorch",
    "model.pt2": "format of PyTorch export",
    "model.fp16.safetensors": "the weights are called model.fp16.safetensors",
    "model.fp16.safetensors pytorch_model.bin": "the weights are called model.fp16.safetensors",
    "consolidated.safetensors": "the weights are called consolidated.safetensors",
    "pytorch_model.bin": "only pickle weights (pytorch_model.bin), which can run code",
    "pytorch_model.bin onnx/model.onnx 2_Dense/model.safetensors": "only pickle weights (pytorch_model.bin)",
    "pytorch_model-00001-of-00002.bin openvino_model.bin tf_model.h5": "only pickle weights (pytorch_model",
    "model.joblib": "only pickle weights (model.joblib)",
    "model_index.json unet/diffusion_pytorch_model.safetensors": "a diffusers pipeline (model_index.json)",
}
NOTHING = [
    "",
    "README.md",
    "training_args.bin optimizer.pt",
    "2_Dense/model.safetensors",
    "model.safetensors model.gguf",
]


@pytest.mark.parametrize("names", SAID)
@pytest.mark.parametrize("config", [True, False])
def test_a_folder_says_what_it_holds(names: str, config: bool, tmp_path: Path) -> None:
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    if config:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(EncoderError) as caught:
        open_encoder(tmp_path, name="x", device="cpu")
    assert SAID[names] in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(EncoderError) as listed:
        refuse_other_formats(
            names.split(), str(tmp_path), "load it in a place you trust and save_pretrained it"
        )
    assert str(listed.value) == str(caught.value)


@pytest.mark.parametrize("names", NOTHING)
def test_what_is_no_weights_is_not_called_so(names: str) -> None:
    refuse_other_formats(names.split(), "x", "ask")


def test_every_format_is_tried_and_every_ending_is_one() -> None:
    said = " ".join(SAID.values())
    for kind in FORMATS.keys() - {OTHER_NAME, PICKLE}:
        assert f"format of {kind}" in said
    assert all(ending.startswith(".") and "*" not in ending for ending in ENDINGS)


@pytest.mark.parametrize("place", ["2_Normalize", "1_Pooling", "additional_chat_templates"])
@pytest.mark.parametrize("kind", ["fifo", "file", "link"])
def test_what_is_no_folder_where_one_belongs_is_refused(place: str, kind: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "encoder", "Pooling", "Normalize")
    if (folder / place).is_dir():
        shutil.rmtree(folder / place)
    if kind == "fifo":
        os.mkfifo(folder / place)
    elif kind == "file":
        (folder / place).touch()
    else:
        (folder / place).symlink_to("nowhere")
    with pytest.raises(EncoderError, match=f"{place}: not a folder"):
        open_encoder(folder, name="x", device="cpu")
