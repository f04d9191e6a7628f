"""sentence-transformers folders around some of the encoders, held against that library itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from tests.layouts import building
from tests.zoo import processors as of
from tests.zoo.layout import Layout
from tests.zoo.texts import T5, TEXT
from tests.zoo.tiny import config_of, random_model


def sentence_layouts() -> Iterator[Layout]:
    """All of them, in a fixed order."""
    known: dict[str, Callable[[Path], None]] = {
        "MiniLM": building.minilm,
        "mpnet, sentences": building.mpnet,
        "e5 (XLM-R)": building.e5,
        "bge": building.bge,
        "Qwen3-Embedding": building.qwen3_embedding,
        "EmbeddingGemma": building.embedding_gemma,
        "sentence-t5": _sentence_t5,
        "modernbert, sentences": _modernbert,
    }
    for name, write in known.items():
        yield Layout(name, "", "text", "sentences", None, saved="", after=write)
    # folders without a recipe of that library: the scores and weights of words are another encoder's
    for name, write in (("cross-encoder", building.cross_encoder), ("SPLADE", building.splade)):
        yield Layout(name, "bert", "text", "mean", None, saved="", after=write)
    yield Layout(
        "nomic, as published", "", "text", "sentences", None, saved="", after=_nomic, remote_code=True
    )
    own = "needs code from its repository"
    for name, code in (("code of its own", _own_code), ("jina v2", _jina_v2), ("jina v3", _jina_v3)):
        yield Layout(name, "", "text", "mean", None, saved="", after=code, refused=own)


def _sentence_t5(folder: Path) -> None:
    random_model(config_of("t5", **T5), "T5EncoderModel").save_pretrained(folder)
    of.t5().save_pretrained(folder)
    building.write_sentences(folder, {"pooling_mode_mean_tokens": True}, "Dense", "Normalize")
    building.write_dense(folder / "2_Dense", 32, 24)


def _modernbert(folder: Path) -> None:
    processor, settings = TEXT["modernbert"]
    random_model(config_of("modernbert", **settings), "ModernBertModel").save_pretrained(folder)
    processor().save_pretrained(folder)
    building.write_sentences(folder, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})


def _nomic(folder: Path) -> None:
    """Names of tensors as the repository has them, which the library keeps; keys of GPT-2 besides.

    Its own code reads these. The library does not: the sizes of the published one are its defaults.
    """
    processor, settings = TEXT["nomic_bert"]
    random_model(config_of("nomic_bert", **settings), "NomicBertModel").save_pretrained(folder)
    processor().save_pretrained(folder)
    building.write_sentences(folder, {"pooling_mode_mean_tokens": True})
    keys = {"n_embd": 32, "n_head": 2, "n_inner": 36, "n_layer": 1, "rotary_emb_base": 1000, "causal": False}
    _configure(folder, {**keys, **_code("nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel")})


def _own_code(folder: Path) -> None:
    building.minilm(folder)
    _configure(folder, {"model_type": "new", **_code("modeling.NewModel")})


def _jina_v2(folder: Path) -> None:
    """BERT by name, with gates in the place of a layer, and without positions."""
    building.minilm(folder)
    _configure(folder, {"position_embedding_type": "alibi", **_code("modeling_bert.JinaBertModel")})
    _rename(folder, {"intermediate.dense": "mlp.gated_layers", "embeddings.position_embeddings": "unused"})


def _jina_v3(folder: Path) -> None:
    """XLM-R by name, with the tensors of another implementation."""
    building.e5(folder)
    _configure(folder, {"position_embedding_type": "rotary", **_code("modeling_lora.XLMRobertaLoRA")})
    _rename(folder, {"attention.self": "mixer", "encoder.layer.": "encoder.layers."})


def _code(name: str) -> dict[str, Any]:
    return {"auto_map": {"AutoModel": name}}


def _configure(folder: Path, changes: dict[str, Any]) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **changes}))


def _rename(folder: Path, parts: dict[str, str]) -> None:
    tensors = load_file(folder / "model.safetensors")
    for now, then in parts.items():
        tensors = {name.replace(now, then): tensor for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
