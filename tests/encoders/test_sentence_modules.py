"""Folders of sentence-transformers that are not known here: modules, keys and orders are refused by name."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.folder import require_support
from hf_integration.encoders.modalities.module_settings import READERS
from hf_integration.encoders.modalities.sentence_modules import read_sentence_modules

POOLING = {"embedding_dimension": 32, "pooling_mode": "mean"}
GOOD: dict[str, dict[str, Any]] = {
    "Dense": {"in_features": 32, "out_features": 8},
    "Normalize": {},
    "LayerNorm": {"dimension": 32},
    "Dropout": {"dropout": 0.1},
    "WordWeights": {"vocab": ["a", "b"], "word_weights": {"a": 2}},
    "WeightedLayerPooling": {"embedding_dimension": 32, "num_hidden_layers": 2, "layer_start": 1},
    "MultiVectorMask": {"skiplist_words": [], "skiplist_tasks": ["document"]},
    "Pooling": POOLING,
    "SpladePooling": {},
    "StaticEmbedding": {},
    "Transformer": {},
}
"""Settings with which each module is read."""


def write(folder: Path, *modules: tuple[str, dict[str, Any]], **files: Any) -> Path:
    """A folder of a model and modules with settings, without weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"output_hidden_states": True, "num_labels": 1}))
    entries = []
    for place, (kind, config) in enumerate(modules):
        path = f"{place}_{kind}" if place else ""
        name = f"sentence_transformers.models.{kind}"
        entries.append({"idx": place, "name": str(place), "path": path, "type": name})
        (folder / path).mkdir(exist_ok=True)
        if place:
            (folder / path / "config.json").write_text(json.dumps(config))
    (folder / "modules.json").write_text(json.dumps(entries))
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def around(kind: str, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    """A model, its pooling, and a module where it belongs."""
    module, pooling = (kind, {**GOOD[kind], **more}), ("Pooling", POOLING)
    before = kind in ("WordWeights", "WeightedLayerPooling")
    return [("Transformer", {}), *([module, pooling] if before else [pooling, module])]


@pytest.mark.parametrize("kind", READERS)
def test_every_module_is_read_and_no_unknown_key_of_it(kind: str, tmp_path: Path) -> None:
    of_tokens = kind == "MultiVectorMask"
    files = {"config_sentence_transformers": {"model_type": "MultiVectorEncoder"}} if of_tokens else {}
    good, bad = around(kind), around(kind, surprise=1)
    if of_tokens:
        good, bad = ([module for module in modules if module[0] != "Pooling"] for modules in (good, bad))
    found = read_sentence_modules(write(tmp_path / "good", *good, **files))
    assert found is not None
    assert found.kind == ("tokens" if of_tokens else "pooled")
    with pytest.raises(EncoderError, match="unknown key 'surprise'"):
        read_sentence_modules(write(tmp_path / "bad", *bad, **files))


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("Dense", "in_features", 0),
        ("Dense", "out_features", True),
        ("Dense", "activation_function", "os.system"),
        ("Dense", "activation_function", ["torch.nn.Tanh"]),
        ("Dense", "module_input_name", "scores"),
        ("Dense", "module_output_name", "token_embeddings"),
        ("Normalize", "module_input_name", "other"),
        ("LayerNorm", "dimension", "32"),
        ("WordWeights", "vocab", []),
        ("WordWeights", "vocab", [1]),
        ("WordWeights", "word_weights", {"a": "2"}),
        ("WordWeights", "unknown_word_weight", None),
        ("WordWeights", "word_weights", {"a": 1e999}),
        ("WeightedLayerPooling", "layer_start", -1),
        ("WeightedLayerPooling", "layer_start", 9),
        ("WeightedLayerPooling", "num_hidden_layers", 2.5),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(kind: str, key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=f"{key}|{kind}|no (width|words|numbers)"):
        read_sentence_modules(write(tmp_path, *around(kind, **{key: value})))


@pytest.mark.parametrize(
    "kinds",
    [
        ["Pooling", "Transformer"],
        ["Transformer"],
        ["Transformer", "Dense", "Pooling"],
        ["Transformer", "Pooling", "Pooling"],
        ["Transformer", "Pooling", "WordWeights"],
        ["Transformer", "Pooling", "WeightedLayerPooling"],
        ["Transformer", "Pooling", "Transformer"],
        ["Transformer", "LayerNorm", "Pooling"],
        ["Transformer", "SpladePooling"],
        ["Transformer", "MultiVectorMask"],
        ["Transformer", "MultiVectorMask", "Pooling"],
        ["StaticEmbedding", "Pooling"],
        ["StaticEmbedding", "WordWeights"],
        ["Transformer", "Pooling", "StaticEmbedding"],
        ["Dense"],
        [],
    ],
)
def test_modules_in_another_order_are_refused(kinds: list[str], tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=f"modules {', '.join(kinds) or 'none'}"):
        read_sentence_modules(write(tmp_path, *((kind, GOOD[kind]) for kind in kinds)))


@pytest.mark.parametrize("kind", ["CNN", "LSTM", "BoW", "WordEmbeddings", "Unheard", "Transformer2"])
def test_a_module_that_is_not_run_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=kind):
        read_sentence_modules(write(tmp_path, (kind, {}), ("Pooling", POOLING)))


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("sentence_bert_config", {"transformer_task": "text-generation"}, "next token of a causal model"),
        ("sentence_bert_config", {"transformer_task": "mine"}, "not known here"),
        ("sentence_bert_config", {"transformer_task": "fill-mask"}, "modules Transformer, Pooling"),
        ("sentence_bert_config", {"modality_config": {}}, "no object of modalities"),
        ("sentence_bert_config", {"modality_config": {"smell": {}}}, "unknown modality 'smell'"),
        (
            "sentence_bert_config",
            {"modality_config": {"text": {"method": "generate", "method_output_name": "logits"}}},
            "text by 'generate' and 'logits'",
        ),
        ("sentence_bert_config", {"modality_config": {"text": 1}}, "text is no object"),
        ("sentence_bert_config", {"model_args": {"num_labels": 2}}, "model_args: num_labels 2"),
        ("sentence_bert_config", {"model_kwargs": []}, None),
        ("sentence_bert_config", {"model_kwargs": [1]}, "model_kwargs is no object"),
        (
            "sentence_bert_config",
            {"config_kwargs": {"hidden_act": "relu"}},
            "config_kwargs: hidden_act 'relu'",
        ),
        ("sentence_bert_config", {"tokenizer_args": {"padding_side": "left"}}, "padding_side 'left'"),
        ("sentence_bert_config", {"tokenizer_args": {"model_max_length": -1}}, "max_seq_length -1"),
        ("sentence_bert_config", {"processing_kwargs": {"image": {}}}, "processing_kwargs"),
        (
            "sentence_bert_config",
            {"processing_kwargs": {"text": {"padding": "max_length"}}},
            "padding 'max_length'",
        ),
        ("sentence_bert_config", {"query_expansion": {"length": 3}}, "query_expansion"),
        (
            "config_sentence_transformers",
            {"model_type": "MultiVectorEncoder"},
            "modules Transformer, Pooling",
        ),
        ("config_sentence_transformers", {"model_type": "Mine"}, "not known here"),
        ("config_sentence_transformers", {"model_type": "CrossEncoder"}, "modules Transformer, Pooling"),
        ("config_sentence_transformers", {"max_active_dims": 5}, "max_active_dims 5"),
        (
            "config_sentence_transformers",
            {"model_type": "SparseEncoder", "truncate_dim": 5},
            "truncate_dim 5",
        ),
        ("config_sentence_transformers", {"activation_fn": "torch.nn.Tanh"}, "activation_fn"),
        ("config_sentence_transformers", {"surprise": 5}, "unknown key 'surprise'"),
    ],
)
def test_settings_that_make_another_encoder_are_refused(
    name: str, config: dict[str, Any], message: str | None, tmp_path: Path
) -> None:
    folder = write(tmp_path, ("Transformer", {}), ("Pooling", POOLING), **{name: config})
    if message is None:
        assert read_sentence_modules(folder) is not None
        return
    with pytest.raises(EncoderError, match=message):
        read_sentence_modules(folder)


@pytest.mark.parametrize(
    "place", ["models", "base.modules", "sentence_transformer.modules", "sparse_encoder.modules"]
)
@pytest.mark.parametrize("last", ["LayerNorm", "LayerNorm.LayerNorm", "layer_norm.LayerNorm"])
def test_modules_are_known_by_the_names_of_every_version(place: str, last: str, tmp_path: Path) -> None:
    folder = write(tmp_path, *around("LayerNorm"))
    entries = json.loads((folder / "modules.json").read_text())
    entries[2]["type"] = f"sentence_transformers.{place}.{last}"
    (folder / "modules.json").write_text(json.dumps(entries))
    found = read_sentence_modules(folder)
    assert found is not None
    assert list(found.tail) == ["2_LayerNorm"]


JUNK: tuple[Any, ...] = (
    *(None, 1, -1, 2.5, "x", True, [], {}, [1], [[]]),
    *({"a": 1}, {"text": {"a": []}}, {"text": {"method": [], "method_output_name": ["hidden_states", -1]}}),
    "(" * 300,
)
SETTINGS: dict[str, tuple[str, ...]] = {
    "sentence_bert_config": (
        *("max_seq_length", "do_lower_case", "transformer_task", "modality_config", "module_output_name"),
        *(
            "processing_kwargs",
            "unpad_inputs",
            "query_length",
            "model_args",
            "config_kwargs",
            "tokenizer_args",
        ),
    ),
    "config_sentence_transformers": (
        *("model_type", "prompts", "default_prompt_name", "similarity_fn_name", "truncate_dim"),
        *("activation_fn", "max_active_dims", "keep_in_fp32_modules", "requirements"),
    ),
}


def read_or_refused(folder: Path) -> None:
    with contextlib.suppress(EncoderError):
        read_sentence_modules(folder)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in SETTINGS.items() for key in keys])
def test_a_setting_of_any_kind_isread_or_refused(name: str, key: str, tmp_path: Path) -> None:
    for place, junk in enumerate(JUNK):
        files = {name: {key: junk}}
        read_or_refused(write(tmp_path / str(place), ("Transformer", {}), ("Pooling", POOLING), **files))


@pytest.mark.parametrize("kind", [*READERS, "Pooling"])
def test_a_setting_of_a_module_of_any_kind_isread_or_refused(kind: str, tmp_path: Path) -> None:
    more = {"module_input_name", "module_output_name", "use_residual", "bias", "activation_function"}
    for key in {*GOOD[kind], *(more if kind == "Dense" else ())}:
        for place, junk in enumerate(JUNK):
            plain: list[tuple[str, dict[str, Any]]] = [("Transformer", {}), (kind, {key: junk})]
            modules = around(kind, **{key: junk}) if kind != "Pooling" else plain
            read_or_refused(write(tmp_path / f"{key}{place}", *modules))


def test_model2vec_without_modules_is_refused_as_two_libraries_embed_it_differently(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "model2vec"}')
    with pytest.raises(EncoderError, match="model2vec itself leaves unknown tokens out"):
        require_support(tmp_path)
