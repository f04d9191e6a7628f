"""sentence-transformers folders around some of the encoders, held against that library itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

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
    own = "needs code from its repository"
    yield Layout("code of its own", "", "text", "mean", None, saved="", after=_own_code, refused=own)


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


def _own_code(folder: Path) -> None:
    building.minilm(folder)
    settings = json.loads((folder / "config.json").read_text())
    code = {"model_type": "new", "auto_map": {"AutoModel": "modeling.NewModel"}}
    (folder / "config.json").write_text(json.dumps({**settings, **code}))
