"""How layouts are put together from modules of the library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from torch import nn

from hf_integration.base.vocabulary import Modality
from tests.encoders import tiny_models

WIDTH = 32
"""Of the tiny models."""


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        name: what it is, in words.
        save: fills a folder, given one for what it is made of.
        modality: what it takes.
        refused: a part of the reason for which it is refused; empty where it works.
        kind: the class of the library that loads it.
        in_memory: what comes of a check of the library's own object; empty for one that is not made.
    """

    name: str
    save: Callable[[Path, Path], None]
    modality: Modality = "text"
    refused: str = ""
    kind: str = "SentenceTransformer"
    in_memory: str = "authentic"


def library() -> Any:
    import sentence_transformers

    return sentence_transformers


def modules_of_library() -> Any:
    from sentence_transformers.sentence_transformer import modules

    return modules


def sentence(
    *parts: Callable[[Any], Any],
    model: str = "bert",
    transformer: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Callable[[Path, Path], None]:
    """A ``SentenceTransformer`` of a tiny model and more modules.

    Args:
        parts: the library's modules -> one of them, behind the model.
        model: name of the tiny model.
        transformer: arguments of its module.
        config: settings of its configuration.
        settings: arguments of the ``SentenceTransformer``.
    """

    def save(base: Path, folder: Path) -> None:
        saved = tiny_models.save(model, base)
        if config:
            known = hf.AutoConfig.from_pretrained(saved)
            known.update(dict(config))
            known.save_pretrained(saved)
        torch.manual_seed(0)
        modules = modules_of_library()
        first = modules.Transformer(str(saved), **(transformer or {}))
        made = [first, *(part(modules) for part in parts)]
        for module in made[1:]:
            if type(module).__name__ == "WeightedLayerPooling":  # whose weights are summed up and divided by
                nn.init.uniform_(module.layer_weights, 0.5, 1.5)
            elif type(module).__name__ != "WordWeights":  # whose weights are its settings
                for parameter in module.parameters():  # ones and zeros of a new norm would say nothing
                    nn.init.normal_(parameter, std=0.5)
        library().SentenceTransformer(modules=made, device="cpu", **settings).save(
            str(folder), create_model_card=False
        )

    return save


def pooling(mode: Any = "mean", **options: Any) -> Callable[[Any], Any]:
    width = options.pop("width", WIDTH)
    return lambda modules: modules.Pooling(width, mode, **options)


def dense(width: int = 12, *, given: int = WIDTH, **options: Any) -> Callable[[Any], Any]:
    return lambda modules: modules.Dense(given, width, **options)


def normalize(modules: Any) -> Any:
    return modules.Normalize()


PROMPT: dict[str, Any] = {"prompts": {"query": "The Dog: ", "document": ""}, "default_prompt_name": "query"}

BERT = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
    "max_position_embeddings": 40,
}
