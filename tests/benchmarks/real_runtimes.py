"""How real runtimes are asked, with a BERT encoder that pools by the mean.

This project's own code converts files and pools hidden states; other runtimes compute these, or the whole
embedding.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Address, Endpoint
from tests.converted.making import ctranslate2_folder, onnx_folder, openvino_folder, without_weights
from tests.real_servers.gguf_files import save_gguf
from tests.real_servers.processes import infinity_with, node_with

Array = NDArray[np.float64]
States = Callable[[dict[str, NDArray[np.int64]]], Any]
"""From arrays of token ids and masks to hidden states ``(n, positions, dim)``."""

BATCH = 8


@dataclass(frozen=True)
class Place:
    """What deployments are made from.

    Attributes:
        encoder: the trusted copy.
        folder: where it is stored.
        root: a folder for what is made.
    """

    encoder: TorchEncoder
    folder: Path
    root: Path

    def made(self, name: str, make: Callable[[Path], object]) -> Path:
        """A folder or file below the root, made when it is asked for the first time."""
        path = self.root / name
        if not path.exists():
            make(path)
        return path


Answers = Callable[[Place, Sequence[str]], tuple[Sequence[str], Array]]
"""From texts to those that were answered, and their embeddings ``(n, dim)``."""


def pooled(states: Callable[[Place], States]) -> Answers:
    """A runtime that gives hidden states, with tokenizer, pooling and scaling as the model card has them."""

    def answers(place: Place, texts: Sequence[str]) -> tuple[Sequence[str], Array]:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(place.folder)
        length = json.loads((place.folder / "sentence_bert_config.json").read_text())["max_seq_length"]
        run, rows = states(place), []
        for begin in range(0, len(texts), BATCH):
            chunk = list(texts[begin : begin + BATCH])
            arrays = dict(
                tokenizer(chunk, padding=True, truncation=True, max_length=length, return_tensors="np")
            )
            hidden = np.asarray(run(arrays), dtype=np.float32)
            mask = arrays["attention_mask"][:, :, None].astype(np.float32)
            rows.append((hidden * mask).sum(axis=1) / mask.sum(axis=1))
        found = np.concatenate(rows)
        return texts, (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float64)

    return answers


def _onnx_file(place: Place) -> Path:
    return place.made("onnx", lambda path: onnx_folder(place.encoder, path)) / "onnx" / "model.onnx"


def _session(file: Path, level: str = "ORT_ENABLE_ALL") -> States:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return lambda arrays: session.run(None, {name: arrays[name] for name in names})[0]


def onnx_answers(level: str) -> Answers:
    return pooled(lambda place: _session(_onnx_file(place), level))


def fused(*, gelu: bool, half: bool) -> Answers:
    """ONNX Runtime's optimiser for BERT: O2, O3 with the approximate GELU, O4 in float16 as well."""

    def states(place: Place) -> States:
        from onnxruntime.transformers import optimizer
        from onnxruntime.transformers.fusion_options import FusionOptions

        options = FusionOptions("bert")
        options.enable_gelu_approximation = gelu
        model = optimizer.optimize_model(
            str(_onnx_file(place)), "bert", num_heads=12, hidden_size=384, optimization_options=options
        )
        if half:
            model.convert_float_to_float16(keep_io_types=True)
        file = place.root / f"fused-{gelu}-{half}.onnx"
        model.save_model_to_file(str(file))
        return _session(file)

    return pooled(states)


def onnx_half(place: Place) -> States:
    import onnx
    from onnxruntime.transformers import float16

    file = place.root / "half.onnx"
    onnx.save(float16.convert_float_to_float16(onnx.load(_onnx_file(place)), keep_io_types=True), file)
    return _session(file)


def openvino_answers(*, half: bool = False, hint: str = "f32") -> Answers:
    def states(place: Place) -> States:
        import openvino

        made = place.made(f"openvino-{half}", lambda path: openvino_folder(half)(place.encoder, path))
        file = made / "openvino" / "openvino_model.xml"
        core = openvino.Core()
        if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise NotImplementedError("OpenVINO says that this processor has no bfloat16")
        compiled = core.compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": hint})
        names = [port.get_any_name() for port in compiled.inputs]
        return lambda arrays: compiled({name: arrays[name] for name in names})[0]

    return pooled(states)


def ctranslate2_answers(quantization: str | None) -> Answers:
    def states(place: Place) -> States:
        import ctranslate2
        from transformers import AutoTokenizer

        made = place.made(
            f"ct2-{quantization}", lambda path: ctranslate2_folder(quantization)(place.encoder, path)
        )
        model, tokenizer = (
            ctranslate2.Encoder(str(made), device="cpu"),
            AutoTokenizer.from_pretrained(place.folder),
        )

        def run(arrays: dict[str, NDArray[np.int64]]) -> Any:
            sizes = arrays["attention_mask"].sum(axis=1)
            tokens = [
                tokenizer.convert_ids_to_tokens(row[:size].tolist())
                for row, size in zip(arrays["input_ids"], sizes, strict=True)
            ]
            found = model.forward_batch(tokens).last_hidden_state
            return np.array(found.to(ctranslate2.DataType.float32))

        return run

    return pooled(states)


def torch_answers(
    dtype: str = "float32", *, attention: str = "sdpa", compiled: bool = False, autocast: str | None = None
) -> Answers:
    def states(place: Place) -> States:
        import transformers

        kind = getattr(torch, dtype)
        model: Any = transformers.AutoModel.from_pretrained(
            place.folder, dtype=kind, attn_implementation=attention
        ).eval()
        model = torch.compile(model, dynamic=True) if compiled else model
        cast = torch.float32 if autocast is None else getattr(torch, autocast)

        def run(arrays: dict[str, NDArray[np.int64]]) -> Any:
            given = {name: torch.from_numpy(array) for name, array in arrays.items()}
            with torch.no_grad(), torch.autocast("cpu", cast, enabled=autocast is not None):
                return model(**given).last_hidden_state.float().numpy()

        return run

    return pooled(states)


def torchao(place: Place) -> States:
    import transformers
    from torchao.quantization import Int8WeightOnlyConfig

    model = transformers.AutoModel.from_pretrained(
        place.folder,
        quantization_config=transformers.TorchAoConfig(Int8WeightOnlyConfig()),
        dtype=torch.float32,
    ).eval()

    def run(arrays: dict[str, NDArray[np.int64]]) -> Any:
        with torch.no_grad():
            found = model(**{name: torch.from_numpy(array) for name, array in arrays.items()})
            return found.last_hidden_state.numpy()

    return run


def sentences(edit: Callable[[Any], object] = lambda _: None, **settings: Any) -> Answers:
    """sentence-transformers as users call it, with a setting changed."""

    def answers(place: Place, texts: Sequence[str]) -> tuple[Sequence[str], Array]:
        from sentence_transformers import SentenceTransformer

        opening = {name: settings[name] for name in ("truncate_dim", "model_kwargs") if name in settings}
        asking = {name: value for name, value in settings.items() if name not in opening}
        model = SentenceTransformer(str(place.folder), device="cpu", **opening)
        edit(model)
        found = model.encode(list(texts), batch_size=BATCH, show_progress_bar=False, **asking)
        return texts, np.asarray(found, dtype=np.float64)

    return answers


def cls(model: Any) -> None:
    model[1] = type(model[1])(model[0].get_embedding_dimension(), pooling_mode="cls")


def at_128(model: Any) -> None:
    model.max_seq_length = 128


def unscaled(model: Any) -> None:
    del model[2]


def fastembed_answers(place: Place, texts: Sequence[str]) -> tuple[Sequence[str], Array]:
    """A model of the user's own, with the files of the encoder as they are beside the ONNX file."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    folder = place.made("fastembed", lambda path: without_weights(place.folder, path))
    shutil.copy(_onnx_file(place), folder / "model.onnx")
    TextEmbedding.add_custom_model(
        "local/encoder",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/encoder"),
        dim=place.encoder.description.embedding_dim,
        model_file="model.onnx",
    )
    model = TextEmbedding("local/encoder", specific_model_path=str(folder))
    return texts, np.asarray(list(model.embed(list(texts), batch_size=BATCH)), dtype=np.float64)


def _over_http(server: Callable[[Place], AbstractContextManager[str]], **address: Any) -> Answers:
    """One text a request; a text that is refused is left out."""

    def answers(place: Place, texts: Sequence[str]) -> tuple[Sequence[str], Array]:
        with server(place) as url, Endpoint(Address(url=url, **address)) as endpoint:
            found = endpoint.embed(texts, may_refuse=range(len(texts)))
        kept = [text for index, text in enumerate(texts) if index not in found.refused]
        return kept, found.embeddings

    return answers


def infinity_answers(dtype: str) -> Answers:
    def server(place: Place) -> AbstractContextManager[str]:
        return infinity_with(place.folder, "--dtype", dtype, log=place.root / f"infinity-{dtype}.log")

    return _over_http(server, api="openai", model="encoder")


def llama(kind: Any) -> Answers:
    def server(place: Place) -> AbstractContextManager[str]:
        file = place.made(f"{kind}.gguf", lambda path: save_gguf(place.folder, path, kind))
        return node_with("llama", file, log=_node_log(place))

    return _over_http(server, api="tei")


def transformers_js(dtype: str) -> Answers:
    def server(place: Place) -> AbstractContextManager[str]:
        _onnx_file(place)
        return node_with("transformers", place.root / "onnx", dtype, log=_node_log(place))

    return _over_http(server, api="tei")


def _node_log(place: Place) -> Path:
    (place.root / "node").mkdir(exist_ok=True)
    return place.root / "node" / "log"
