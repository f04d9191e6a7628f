"""Converted copies of an encoder, as users make them: by each runtime's own converter."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.converted.onnx_making import OUTPUT, States, export
from hf_integration.converted.runtime import RuntimeName
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import own_length

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


def llama_words(encoder: TorchEncoder) -> list[str]:
    """The vocabulary as llama.cpp's converter writes it for BERT."""
    words = encoder.processor.get_vocab()
    return [
        word if word.startswith("[") else word[2:] if word.startswith("##") else f"\u2581{word}"
        for word in sorted(words, key=words.__getitem__)
    ]


def gguf_file(encoder: TorchEncoder, target: Path, kind: str, words: list[str] | None = None) -> Path:
    """A GGUF file with llama.cpp's names for BERT: matrices in one type, all else in float32.

    Args:
        encoder: whose weights.
        target: the file.
        kind: the type of matrices.
        words: the vocabulary, if it is not the encoder's.
    """
    import gguf
    from gguf import GGMLQuantizationType, quants

    writer = gguf.GGUFWriter(str(target), "bert")
    writer.add_tokenizer_model("bert")
    writer.add_token_list(llama_words(encoder) if words is None else words)
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


@dataclass(frozen=True)
class Kind:
    """A runtime with a precision.

    Attributes:
        runtime: the runtime.
        module: the library that it needs.
        make: writes the encoder in its form into a new folder.
        file: that holds the weights.
        serving: the recipe that makes it authentic; ``None`` where it needs none.
        named: whether the caller has to say which runtime it is.
    """

    runtime: RuntimeName
    module: str
    make: Callable[[TorchEncoder, Path], None]
    file: str
    serving: str | None = None
    named: bool = False


def openvino_folder(half: bool) -> Callable[[TorchEncoder, Path], None]:
    def make(encoder: TorchEncoder, folder: Path) -> None:
        import openvino
        import torch

        # from torch, as optimum does: an ONNX file in between has constants, which would be rounded as well
        assert encoder.path is not None
        without_weights(encoder.path, folder)
        array = torch.ones(2, 7, dtype=torch.long)
        model = openvino.convert_model(
            States(encoder.model, INPUTS).eval(),
            example_input=(array, array.clone(), array * 0),
            input=[([-1, -1], openvino.Type.i64)] * len(INPUTS),
        )
        for port, name in zip(model.inputs, INPUTS, strict=True):
            port.get_tensor().set_names({name})
        model.outputs[0].get_tensor().set_names({OUTPUT})
        (folder / "openvino").mkdir()
        target = folder / "openvino" / "openvino_model.xml"
        openvino.save_model(model, str(target), compress_to_fp16=half)

    return make


def ctranslate2_folder(quantization: str | None) -> Callable[[TorchEncoder, Path], None]:
    def make(encoder: TorchEncoder, folder: Path) -> None:
        from hf_integration.converted.ctranslate2_model import convert

        assert encoder.path is not None
        without_weights(encoder.path, folder)
        convert(encoder.path, folder / "made", quantization)
        for file in list((folder / "made").iterdir()):
            file.replace(folder / file.name)
        (folder / "made").rmdir()

    return make


def fastembed_folder(encoder: TorchEncoder, folder: Path) -> None:
    onnx_folder(encoder, folder)
    (folder / "onnx" / "model.onnx").rename(folder / "model_optimized.onnx")
    for name in ("onnx", "1_Pooling", "2_Normalize"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "modules.json").unlink()
    config = folder / "tokenizer_config.json"
    said = json.loads(config.read_text()) | {"model_max_length": own_length(encoder)}
    config.write_text(json.dumps(said))


def torchao_folder(kind: str) -> Callable[[TorchEncoder, Path], None]:
    def make(encoder: TorchEncoder, folder: Path) -> None:
        import torch
        import transformers
        from torchao import quantization

        assert encoder.path is not None
        without_weights(encoder.path, folder)
        config = transformers.TorchAoConfig(getattr(quantization, kind)())
        model = transformers.AutoModel.from_pretrained(
            encoder.path, quantization_config=config, dtype=torch.float32
        )
        model.save_pretrained(folder)

    return make


KINDS = {
    "openvino": Kind("openvino", "openvino", openvino_folder(False), "openvino/openvino_model.bin"),
    "openvino-float16": Kind(
        "openvino", "openvino", openvino_folder(True), "openvino/openvino_model.bin", "float16-weights"
    ),
    "ctranslate2": Kind("ctranslate2", "ctranslate2", ctranslate2_folder(None), "model.bin"),
    "ctranslate2-float16": Kind(
        "ctranslate2", "ctranslate2", ctranslate2_folder("float16"), "model.bin", "float16-weights"
    ),
    "ctranslate2-int8": Kind("ctranslate2", "ctranslate2", ctranslate2_folder("int8"), "model.bin", "int8"),
    "torchao-weights": Kind(
        "torchao", "torchao", torchao_folder("Int8WeightOnlyConfig"), "model.safetensors", "int8"
    ),
    "torchao-dynamic": Kind(
        "torchao",
        "torchao",
        torchao_folder("Int8DynamicActivationInt8WeightConfig"),
        "model.safetensors",
        "int8",
    ),
    "fastembed": Kind("fastembed", "fastembed", fastembed_folder, "model_optimized.onnx", named=True),
}


def onnx_plain(encoder: TorchEncoder, folder: Path) -> None:
    onnx_folder(encoder, folder)


def onnx_quantised(encoder: TorchEncoder, folder: Path) -> None:
    """With integers for dynamic scales, the only model in its folder."""
    onnx_folder(encoder, folder)
    file = folder / "onnx" / "model.onnx"
    quantised(file, file.with_name("model_quantized.onnx"), per_channel=True)
    file.unlink()


def onnx_half(encoder: TorchEncoder, folder: Path) -> None:
    """In float16, by ONNX Runtime's own conversion."""
    import onnx
    from onnxruntime.transformers import float16

    onnx_folder(encoder, folder)
    file = folder / "onnx" / "model.onnx"
    onnx.save(float16.convert_float_to_float16(onnx.load(file), keep_io_types=True), file)


def gguf_folder(kind: str) -> Callable[[TorchEncoder, Path], None]:
    def make(encoder: TorchEncoder, folder: Path) -> None:
        folder.mkdir()
        gguf_file(encoder, folder / "model.gguf", kind)

    return make


def saved(encoder: TorchEncoder, source: Path, folder: Path) -> TorchEncoder:
    """A copy with other weights as a folder of its own, which converters that read folders need.

    Args:
        encoder: the copy.
        source: the folder that its settings are from.
        folder: where it is written.
    """
    from hf_integration.encoders import open_encoder

    without_weights(source, folder)
    encoder.model.save_pretrained(folder)
    opened = open_encoder(folder, name="altered", device="cpu")
    assert isinstance(opened, TorchEncoder)
    return opened


ALL = {
    "onnx": Kind("onnx", "onnxruntime", onnx_plain, "onnx/model.onnx"),
    "onnx-float16": Kind("onnx", "onnxruntime", onnx_half, "onnx/model.onnx", "float16"),
    "onnx-int8": Kind("onnx", "onnxruntime", onnx_quantised, "onnx/model_quantized.onnx", "int8"),
    **KINDS,
    **{
        f"gguf-{kind}": Kind("gguf", "gguf", gguf_folder(kind), "model.gguf")
        for kind in ("F32", "F16", "Q8_0")
    },
}
"""All of them, for the figures."""
