"""Converted copies of an encoder, as users make them: by each runtime's own converter."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.converted.onnx_making import export
from hf_integration.encoders.running.torch_encoder import TorchEncoder

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def without_weights(source: Path, target: Path) -> Path:
    """The folder of an encoder without its weights, for another runtime's beside it."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*WEIGHTS, "*.onnx"))
    return target


def onnx_folder(encoder: TorchEncoder, target: Path) -> Path:
    """As sentence-transformers writes it: its settings, and ``onnx/model.onnx``."""
    assert encoder.path is not None
    without_weights(encoder.path, target)
    (target / "onnx").mkdir()
    export(encoder, INPUTS, target / "onnx" / "model.onnx")
    return target


def quantised(source: Path, target: Path, **settings: Any) -> Path:
    """An ONNX file with integers, as ONNX Runtime makes it."""
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, target, **settings)
    return target


def arrays(model: Any) -> Iterator[tuple[str, Any]]:
    """Initialisers and constants of a graph, each by its name."""
    for tensor in model.graph.initializer:
        yield tensor.name, tensor
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield node.output[0], attribute.t


def edited(source: Path, target: Path, name: str, edit: Callable[[Any], Any]) -> Path:
    """A copy of an ONNX file in which one array holds something else."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    (tensor,) = (tensor for found, tensor in arrays(model) if found == name)
    changed = numpy_helper.from_array(np.ascontiguousarray(edit(numpy_helper.to_array(tensor))), tensor.name)
    tensor.CopyFrom(changed)
    onnx.save(model, target)
    return target


def one_step(values: Any) -> Any:
    """The first number moved by one step of its type: the smallest edit that there is."""
    copy = values.copy()
    flat = copy.reshape(-1)
    if copy.dtype.kind == "f":
        flat[0] = np.nextafter(flat[0], np.asarray(np.inf, dtype=copy.dtype))
    elif copy.dtype.kind == "b":
        flat[0] = not flat[0]
    else:
        flat[0] = flat[0] - 1 if flat[0] == np.iinfo(copy.dtype).max else flat[0] + 1
    return copy


def gguf_file(encoder: TorchEncoder, target: Path, kind: str) -> Path:
    """A GGUF file with llama.cpp's names for BERT: matrices in one type, all else in float32."""
    import gguf
    from gguf import GGMLQuantizationType, quants

    writer = gguf.GGUFWriter(str(target), "bert")
    for name, tensor in encoder.tensors().items():
        values = np.ascontiguousarray(tensor.float().numpy())
        said = name.replace("encoder.layer.", "blk.").replace("embeddings.", "emb.")
        if values.ndim == 1 or kind == "F32":
            writer.add_tensor(said, values)
        else:
            made = GGMLQuantizationType[kind]
            writer.add_tensor(said, quants.quantize(values, made), raw_dtype=made)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
