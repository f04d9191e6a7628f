"""Layouts whose embedding is no pooled one: tables of tokens, scores of pairs, words of a vocabulary."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import save_file
from tokenizers import processors
from torch import nn

from tests.agreement.building import (
    BERT,
    PROMPT,
    Layout,
    library,
    modules_of_library,
    normalize,
)
from tests.encoders import tiny_models


def _static(
    *, dtype: torch.dtype = torch.float32, cut: int | None = None, **settings: Any
) -> Callable[[Path, Path], None]:
    """A table of tokens; a tokenizer that cuts after so many, or not at all."""

    def save(_base: Path, folder: Path) -> None:
        torch.manual_seed(0)
        modules, tokenizer = modules_of_library(), tiny_models.tokenizer().backend_tokenizer
        if cut is not None:
            tokenizer.enable_truncation(cut)
        table = modules.StaticEmbedding(tokenizer, embedding_weights=torch.randn(40, 16, dtype=dtype))
        library().SentenceTransformer(modules=[table, normalize(modules)], device="cpu", **settings).save(
            str(folder), create_model_card=False
        )

    return save


def _model2vec(**more: torch.Tensor) -> Callable[[Path, Path], None]:
    """A folder as model2vec writes it: fewer vectors than tokens, if a mapping says which token has which."""

    def save(_base: Path, folder: Path) -> None:
        torch.manual_seed(0)
        folder.mkdir(parents=True)
        rows = 40 if "mapping" not in more else int(more["mapping"].max()) + 1
        save_file({"embeddings": torch.randn(rows, 16), **more}, folder / "model.safetensors")
        tiny_models.tokenizer().backend_tokenizer.save(str(folder / "tokenizer.json"))
        config = {
            "model_type": "model2vec",
            "architectures": ["StaticModel"],
            "hidden_dim": 16,
            "normalize": True,
        }
        (folder / "config.json").write_text(json.dumps(config))
        kinds = {".": "StaticEmbedding", "1_Normalize": "Normalize"}
        entries = [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(kinds.items())
        ]
        (folder / "modules.json").write_text(json.dumps(entries))

    return save


_MAPPING = torch.arange(40) // 2

STATIC: tuple[Layout, ...] = (
    Layout("StaticEmbedding", _static()),
    Layout("StaticEmbedding that cuts", _static(cut=5)),
    Layout("StaticEmbedding with a prompt", _static(**PROMPT)),
    Layout("StaticEmbedding, truncate_dim", _static(truncate_dim=5)),
    Layout("model2vec", _model2vec()),
    Layout("model2vec with weights", _model2vec(weights=torch.linspace(0.1, 2, 40))),
    Layout("model2vec with mapping", _model2vec(mapping=_MAPPING)),
    Layout("model2vec with both", _model2vec(mapping=_MAPPING, weights=torch.linspace(0.1, 2, 40))),
)
"""Tables of tokens, without a transformers model."""


def _scorer(
    *, labels: int = 1, mark: Mapping[str, Any] | None = None, lengths: int = 40, **settings: Any
) -> Callable[[Path, Path], None]:
    """A cross-encoder.

    Args:
        labels: how many scores a pair gets.
        mark: what older versions write into the configuration, in the place of files of their own.
        lengths: longest pair in tokens.
        settings: arguments of the ``CrossEncoder``.
    """

    def save(base: Path, folder: Path) -> None:
        torch.manual_seed(0)
        where = folder if mark else base
        config = hf.BertConfig(**BERT, num_labels=labels, **(mark or {}))
        hf.BertForSequenceClassification(config).save_pretrained(where)
        tokenizer = tiny_models.tokenizer(model_max_length=lengths)
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        tokenizer.save_pretrained(where)
        if not mark:
            library().CrossEncoder(str(base), device="cpu", **settings).save(
                str(folder), create_model_card=False
            )

    return save


_MARK = "sbert_ce_default_activation_function"

SCORES: tuple[Layout, ...] = (
    Layout("CrossEncoder", _scorer(), kind="CrossEncoder"),
    Layout("CrossEncoder without activation", _scorer(activation_fn=nn.Identity()), kind="CrossEncoder"),
    Layout("CrossEncoder of three labels", _scorer(labels=3), kind="CrossEncoder"),
    Layout(
        "CrossEncoder of three labels, Tanh", _scorer(labels=3, activation_fn=nn.Tanh()), kind="CrossEncoder"
    ),
    Layout("CrossEncoder with a prompt", _scorer(**PROMPT), kind="CrossEncoder"),
    Layout("CrossEncoder that cuts", _scorer(lengths=9), kind="CrossEncoder"),
    Layout(
        "CrossEncoder of version 3",
        _scorer(mark={_MARK: "torch.nn.modules.linear.Identity"}),
        kind="CrossEncoder",
    ),
    Layout(
        "CrossEncoder of version 4",
        _scorer(mark={"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}),
        kind="CrossEncoder",
    ),
    Layout(
        "CrossEncoder that keeps layers in float32",
        _scorer(keep_in_fp32_modules=["0.model.classifier"]),
        kind="CrossEncoder",
        refused="keep_in_fp32_modules",
    ),
)
"""Cross-encoders, whose embedding is the score of a pair."""


def _sparse(
    *, pooling: Mapping[str, Any] | None = None, older: bool = False, **settings: Any
) -> Callable[[Path, Path], None]:
    """A ``SparseEncoder`` whose vector has one number for each word."""

    def save(base: Path, folder: Path) -> None:
        from sentence_transformers.sparse_encoder import modules

        torch.manual_seed(0)
        hf.BertForMaskedLM(hf.BertConfig(**BERT)).save_pretrained(base)
        tiny_models.tokenizer().save_pretrained(base)
        first = modules.MLMTransformer if older else modules.Transformer
        task: dict[str, Any] = {} if older else {"transformer_task": "fill-mask"}
        parts = [first(str(base), **task), modules.SpladePooling(**(pooling or {}))]
        library().SparseEncoder(modules=parts, device="cpu", **settings).save(
            str(folder), create_model_card=False
        )

    return save


SPARSE: tuple[Layout, ...] = (
    Layout("SPLADE", _sparse(), kind="SparseEncoder"),
    Layout("SPLADE, sum", _sparse(pooling={"pooling_strategy": "sum"}), kind="SparseEncoder"),
    Layout("SPLADE, log1p", _sparse(pooling={"activation_function": "log1p_relu"}), kind="SparseEncoder"),
    Layout("SPLADE by MLMTransformer", _sparse(older=True), kind="SparseEncoder"),
    Layout("SPLADE with a prompt", _sparse(**PROMPT), kind="SparseEncoder"),
    Layout(
        "SPLADE cut to its largest",
        _sparse(max_active_dims=5),
        kind="SparseEncoder",
        refused="max_active_dims",
    ),
)
"""Sparse encoders."""
