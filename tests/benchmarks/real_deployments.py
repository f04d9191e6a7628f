"""Real deployments of a BERT encoder with mean pooling, each with the recipe that it is known to follow.

The recipe of each is written down from how it is set up, not from what it answers. This project's own code
converts files and pools hidden states; other runtimes compute these, or the whole embedding.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.endpoints import Address, Endpoint
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe
from tests.converted.making import (
    ctranslate2_folder,
    onnx_folder,
    openvino_folder,
    without_weights,
)
from tests.real_servers.gguf_files import save_gguf
from tests.real_servers.processes import infinity, infinity_with, node_modules, node_with

Array = NDArray[np.float64]
States = Callable[[dict[str, NDArray[np.int64]]], Any]
"""From arrays of token ids and masks to hidden states ``(n, positions, dim)``."""

BATCH = 8
PROMPT = "query: "
RECORDED = Path(__file__).parents[1] / "serving" / "recorded" / "minilm_servers.json"


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


@dataclass(frozen=True)
class Deployment:
    """A deployment.

    Attributes:
        name: for people.
        expected: the recipe that it follows; ``None`` for one that this version has no words for.
        answers: asks it.
        needs: modules that have to be installed, or ``node`` or ``infinity``.
    """

    name: str
    expected: Recipe | None
    answers: Answers
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        programs = {"node": node_modules, "infinity": infinity}
        return [name for name in self.needs if not programs.get(name, lambda name=name: find_spec(name))()]


def _pooled(states: Callable[[Place], States]) -> Answers:
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


def _onnx(level: str) -> Answers:
    return _pooled(lambda place: _session(_onnx_file(place), level))


def _fused(*, gelu: bool, half: bool) -> Answers:
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

    return _pooled(states)


def _onnx_half(place: Place) -> States:
    import onnx
    from onnxruntime.transformers import float16

    file = place.root / "half.onnx"
    onnx.save(float16.convert_float_to_float16(onnx.load(_onnx_file(place)), keep_io_types=True), file)
    return _session(file)


def _openvino(*, half: bool = False, hint: str = "f32") -> Answers:
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

    return _pooled(states)


def _ctranslate2(quantization: str | None) -> Answers:
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

    return _pooled(states)


def _torch(
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

    return _pooled(states)


def _torchao(place: Place) -> States:
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


def _sentences(edit: Callable[[Any], object] = lambda _: None, **settings: Any) -> Answers:
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


def _cls(model: Any) -> None:
    model[1] = type(model[1])(model[0].get_embedding_dimension(), pooling_mode="cls")


def _at_128(model: Any) -> None:
    model.max_seq_length = 128


def _unscaled(model: Any) -> None:
    del model[2]


def _fastembed(place: Place, texts: Sequence[str]) -> tuple[Sequence[str], Array]:
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


def _infinity(dtype: str) -> Answers:
    def server(place: Place) -> AbstractContextManager[str]:
        return infinity_with(place.folder, "--dtype", dtype, log=place.root / f"infinity-{dtype}.log")

    return _over_http(server, api="openai", model="encoder")


def _llama(kind: Any) -> Answers:
    def server(place: Place) -> AbstractContextManager[str]:
        file = place.made(f"{kind}.gguf", lambda path: save_gguf(place.folder, path, kind))
        return node_with("llama", file, log=_node_log(place))

    return _over_http(server, api="tei")


def _transformers_js(dtype: str) -> Answers:
    def server(place: Place) -> AbstractContextManager[str]:
        _onnx_file(place)
        return node_with("transformers", place.root / "onnx", dtype, log=_node_log(place))

    return _over_http(server, api="tei")


def _node_log(place: Place) -> Path:
    (place.root / "node").mkdir(exist_ok=True)
    return place.root / "node" / "log"


def _recorded(server: str) -> Answers:
    def answers(place: Place, texts: Sequence[str]) -> tuple[Sequence[str], Array]:
        del place, texts
        (one,) = (one for one in json.loads(RECORDED.read_text())["recordings"] if server in one["server"])
        return one["texts"], np.asarray(one["embeddings"], dtype=np.float64)

    return answers


def _all() -> Iterator[Deployment]:
    def made(name: str, answers: Answers, *needs: str, **recipe: Any) -> Deployment:
        return Deployment(name, PLAIN.but(**recipe), answers, needs)

    half, short = {"arithmetic": "float16"}, {"arithmetic": "bfloat16"}
    yield made("TEI router, recorded, 128 dimensions", _recorded("router"), gelu="tanh", dimensions=128)
    yield made("TEI candle, recorded", _recorded("candle"), gelu="tanh", normalised=False)
    yield made(
        "TEI flash on CUDA, recorded",
        _recorded("flash"),
        gelu="tanh",
        normalised=False,
        form=Form("float16"),
        **half,
    )
    yield made("Ollama, recorded", _recorded("Ollama"), gelu="tanh", weights="gguf-f16")
    for level in ("DISABLE_ALL", "ENABLE_BASIC", "ENABLE_EXTENDED", "ENABLE_ALL"):
        said = level.replace("_", " ").lower()
        yield made(f"ONNX Runtime, {said}", _onnx(f"ORT_{level}"), "onnxruntime", "onnx")
    needs = ("onnxruntime", "onnx")
    yield made("ONNX Runtime, O2 fused", _fused(gelu=False, half=False), *needs)
    yield made("ONNX Runtime, O3 approximate GELU", _fused(gelu=True, half=False), *needs, gelu="tanh")
    yield made("ONNX Runtime, O4", _fused(gelu=True, half=True), *needs, gelu="tanh", **half)
    yield made("ONNX Runtime, float16", _pooled(_onnx_half), *needs, **half)
    yield made("OpenVINO, float32", _openvino(), "openvino")
    yield made("OpenVINO, float16 file", _openvino(half=True), "openvino", weights="float16")
    yield made("OpenVINO, bfloat16 hint", _openvino(hint="bf16"), "openvino", **short)
    yield made("CTranslate2, float32", _ctranslate2(None), "ctranslate2")
    yield made("CTranslate2, float16", _ctranslate2("float16"), "ctranslate2", weights="float16")
    yield made("torch, eager attention", _torch(attention="eager"))
    yield made("torch, SDPA", _torch())
    yield made("torch.compile", _torch(compiled=True))
    yield made("torch, float16", _torch("float16"), **half)
    yield made("torch, bfloat16", _torch("bfloat16"), **short)
    yield made("torch, autocast float16", _torch(autocast="float16"), **half)
    yield made("torch, autocast bfloat16", _torch(autocast="bfloat16"), **short)
    yield Deployment("torchao, int8 weights", None, _pooled(_torchao), ("torchao",))
    library = "sentence_transformers"
    yield made("sentence-transformers", _sentences(), library)
    yield made("sentence-transformers, CLS", _sentences(_cls), library, pooling="cls")
    yield made("sentence-transformers, cut at 128", _sentences(_at_128), library, length=128)
    yield made("sentence-transformers, prompt", _sentences(prompt=PROMPT), library, prompt=PROMPT)
    yield made("sentence-transformers, not scaled", _sentences(_unscaled), library, normalised=False)
    yield made("sentence-transformers, truncate_dim", _sentences(truncate_dim=128), library, dimensions=128)
    yield made("fastembed, local model", _fastembed, "fastembed", "onnx", length=512)
    yield made("llama.cpp, F16", _llama("f16"), "node", "gguf", gelu="tanh", weights="gguf-f16", length=512)
    yield made("llama.cpp, F32", _llama("f32"), "node", "gguf", gelu="tanh", length=512)
    yield made("transformers.js", _transformers_js("fp32"), "node", "onnx", length=512)
    yield made("Infinity, float32", _infinity("float32"), "infinity")
    yield made("Infinity, bfloat16", _infinity("bfloat16"), "infinity", **short)


DEPLOYMENTS = tuple(_all())
