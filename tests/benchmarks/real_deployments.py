"""Real deployments of a BERT encoder with mean pooling, each with the recipe that it is known to follow.

The recipe of each is written down from how it is set up, not from what it answers.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe
from tests.benchmarks.real_runtimes import (
    Answers,
    Array,
    Place,
    at_128,
    cls,
    ctranslate2_answers,
    fastembed_answers,
    fused,
    infinity_answers,
    llama,
    onnx_answers,
    onnx_half,
    openvino_answers,
    pooled,
    sentences,
    torch_answers,
    torchao,
    transformers_js,
    unscaled,
)
from tests.real_servers.processes import infinity, node_modules

PROMPT = "query: "
RECORDED = Path(__file__).parents[1] / "serving" / "recorded" / "minilm_servers.json"


@dataclass(frozen=True)
class Deployment:
    """A deployment.

    Attributes:
        name: for people.
        expected: the recipe that it follows.
        answers: asks it.
        needs: modules that have to be installed, or ``node`` or ``infinity``.
    """

    name: str
    expected: Recipe
    answers: Answers
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        programs = {"node": node_modules, "infinity": infinity}
        return [name for name in self.needs if not programs.get(name, lambda name=name: find_spec(name))()]


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
        yield made(f"ONNX Runtime, {said}", onnx_answers(f"ORT_{level}"), "onnxruntime", "onnx")
    needs = ("onnxruntime", "onnx")
    yield made("ONNX Runtime, O2 fused", fused(gelu=False, half=False), *needs)
    yield made("ONNX Runtime, O3 approximate GELU", fused(gelu=True, half=False), *needs, gelu="tanh")
    yield made("ONNX Runtime, O4", fused(gelu=True, half=True), *needs, gelu="tanh", **half)
    yield made("ONNX Runtime, float16", pooled(onnx_half), *needs, **half)
    yield made("OpenVINO, float32", openvino_answers(), "openvino")
    yield made("OpenVINO, float16 file", openvino_answers(half=True), "openvino", weights="float16")
    yield made("OpenVINO, bfloat16 hint", openvino_answers(hint="bf16"), "openvino", **short)
    yield made("CTranslate2, float32", ctranslate2_answers(None), "ctranslate2")
    yield made("CTranslate2, float16", ctranslate2_answers("float16"), "ctranslate2", weights="float16")
    yield made("torch, eager attention", torch_answers(attention="eager"))
    yield made("torch, SDPA", torch_answers())
    yield made("torch.compile", torch_answers(compiled=True))
    yield made("torch, float16", torch_answers("float16"), **half)
    yield made("torch, bfloat16", torch_answers("bfloat16"), **short)
    yield made("torch, autocast float16", torch_answers(autocast="float16"), **half)
    yield made("torch, autocast bfloat16", torch_answers(autocast="bfloat16"), **short)
    yield made("torchao, int8 weights", pooled(torchao), "torchao", weights="int8-rows")
    library = "sentence_transformers"
    yield made("sentence-transformers", sentences(), library)
    yield made("sentence-transformers, CLS", sentences(cls), library, pooling="cls")
    yield made("sentence-transformers, cut at 128", sentences(at_128), library, length=128)
    yield made("sentence-transformers, prompt", sentences(prompt=PROMPT), library, prompt=PROMPT)
    yield made("sentence-transformers, not scaled", sentences(unscaled), library, normalised=False)
    yield made("sentence-transformers, truncate_dim", sentences(truncate_dim=128), library, dimensions=128)
    yield made("fastembed, local model", fastembed_answers, "fastembed", "onnx", length=512)
    yield made("llama.cpp, F16", llama("f16"), "node", "gguf", gelu="tanh", weights="gguf-f16", length=512)
    yield made("llama.cpp, F32", llama("f32"), "node", "gguf", gelu="tanh", length=512)
    yield made("transformers.js", transformers_js("fp32"), "node", "onnx", length=512)
    yield made("Infinity, float32", infinity_answers("float32"), "infinity")
    yield made("Infinity, bfloat16", infinity_answers("bfloat16"), "infinity", **short)


DEPLOYMENTS = tuple(_all())
