"""sentence-transformers folders, read without that library: modules, pooling, prompt, text length.

A key or module that is not known here could change the embedding, so it is refused rather than ignored.
The keys are those of sentence-transformers 2 to 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.encoders.files.json_values import read_json, relative_folder
from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.modalities.tail_modules import ACTIVATIONS, DenseSpec

_KINDS = ("Transformer", "Pooling", "Dense", "Normalize")
_TYPES = {
    name: kind
    for kind in _KINDS
    for name in (
        f"sentence_transformers.models.{kind}",
        f"sentence_transformers.models.{kind}.{kind}",
        f"sentence_transformers.base.modules.{kind.lower()}.{kind}",
        f"sentence_transformers.sentence_transformer.modules.{kind.lower()}.{kind}",
    )
}
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# Values of the keys that would make it another encoder than the one read here; the first is the default.
_TRANSFORMER_FIXED: Mapping[str, tuple[Any, ...]] = {
    "transformer_task": ("feature-extraction",),
    "modality_config": ({"text": {"method": "forward", "method_output_name": "last_hidden_state"}},),
    "module_output_name": ("token_embeddings",),
    "processing_kwargs": ({}, None),
    "unpad_inputs": (None, False, True),  # how a GPU kernel packs the batch, not what is computed
    "query_length": (None,),
    "document_length": (None,),
    "query_expansion": (None,),
    "model_args": ({}, None),
    "tokenizer_args": ({}, None),
    "config_args": ({}, None),
}
# In the order in which sentence-transformers concatenates them.
_LEGACY_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
MODES = tuple(_LEGACY_MODES.values())

LONGEST_PROMPT = 10_000
"""Characters of a prompt, which is put before every text; those in use are sentences."""


@dataclass(frozen=True)
class SentenceModules:
    """A sentence-transformers folder in the words of this package.

    Attributes:
        transformer: folder of the transformers model.
        modes: pooling modes, concatenated in this order.
        tail: what follows the pooling: folder name -> settings, ``None`` for a normalisation.
        max_seq_length: longest text in tokens, or ``None`` for the tokenizer's own.
        do_lower_case: whether texts are lower-cased before anything else.
        prompt: put before every text by default.
        include_prompt: whether the prompt's tokens are pooled.
        truncate_dim: how many of the embedding's dimensions are kept; ``None`` for all.
        behaviour: all this, file by file.
    """

    transformer: Path
    modes: tuple[str, ...]
    tail: Mapping[str, DenseSpec | None]
    max_seq_length: int | None
    do_lower_case: bool
    prompt: str
    include_prompt: bool = True
    truncate_dim: int | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)


def read_sentence_modules(folder: Path) -> SentenceModules | None:
    """Read ``modules.json`` and what it names; ``None`` if the folder has none.

    Raises:
        EncoderError: an unknown module type or key, or damaged JSON.
    """
    if not (folder / "modules.json").is_file():
        return None
    entries = read_json(folder / "modules.json")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise EncoderError(f"{folder / 'modules.json'}: not a list of modules")
    _check_entries(folder / "modules.json", entries)
    parts = [
        (_kind(folder, entry), relative_folder(folder, entry.get("path", ""), "modules.json"))
        for entry in entries
    ]
    kinds = [kind for kind, _ in parts]
    if kinds[:2] != ["Transformer", "Pooling"] or not set(kinds[2:]) <= {"Dense", "Normalize"}:
        raise EncoderError(
            f"{folder / 'modules.json'}: modules {', '.join(kinds) or 'none'}",
            remedy="supported: Transformer, Pooling, then any of Dense and Normalize",
        )
    transformer = parts[0][1]
    length, lower = _read_transformer(transformer)
    modes, pooling_behaviour = _read_pooling(parts[1][1])
    prompt, settings = _read_settings(folder)
    tail: dict[str, DenseSpec | None] = {}
    files: dict[str, Mapping[str, Any]] = {
        "modules.json": {str(place): kind for place, kind in enumerate(kinds)},
        "1_Pooling/config.json": pooling_behaviour,
        "config_sentence_transformers.json": {**settings, "similarity_fn_name": _read_similarity(folder)},
    }
    for place, (kind, part) in enumerate(parts[2:], start=2):
        if kind == "Normalize":
            _check_normalize(part)
        spec = _read_dense(part) if kind == "Dense" else None
        tail[f"{place}_{kind}"] = spec
        if spec is not None:
            files[f"{place}_Dense/config.json"] = {
                "in_features": spec.in_features,
                "out_features": spec.out_features,
                "bias": spec.bias,
                "activation_function": ACTIVATIONS[spec.activation].__name__,
            }
    return SentenceModules(
        transformer,
        modes,
        tail,
        length,
        lower,
        prompt,
        include_prompt=bool(pooling_behaviour["include_prompt"]),
        truncate_dim=settings.get("truncate_dim"),
        behaviour=Behaviour(files),
    )


def _check_entries(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what makes the library leave a module out, or run it in another way than here."""
    for entry in entries:
        _only(path, entry, {"idx", "name", "path", "type", "kwargs"})
        _fixed(path, entry, {"kwargs": ([], None)})
    names = [str(entry.get("name")) for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise EncoderError(
            f"{path}: two modules have the name {twice[0]!r}, of which the library keeps one",
            remedy="use an intact copy of the encoder",
        )


def _kind(folder: Path, entry: Mapping[str, Any]) -> str:
    kind = _TYPES.get(str(entry.get("type")))
    if kind is None:
        raise EncoderError(
            f"{folder / 'modules.json'}: unknown module type {entry.get('type')!r}",
            remedy=f"supported: {', '.join(_KINDS)} of sentence-transformers",
        )
    return kind


def _only(path: Path, found: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(found) - known):
        raise EncoderError(
            f"{path}: unknown key {unknown[0]!r}", remedy="it may change the embedding, so it is not ignored"
        )


def _fixed(path: Path, found: Mapping[str, Any], allowed: Mapping[str, tuple[Any, ...]]) -> None:
    for key, values in allowed.items():
        if key in found and found[key] not in values:
            raise EncoderError(
                f"{path}: {key} {found[key]!r} is not supported", remedy=f"supported: {values[0]!r}"
            )


def _read_transformer(transformer: Path) -> tuple[int | None, bool]:
    path = next((transformer / name for name in _TRANSFORMER_CONFIGS if (transformer / name).is_file()), None)
    if path is None:
        return None, False
    config = read_json(path, dict)
    _only(path, config, {"max_seq_length", "do_lower_case", *_TRANSFORMER_FIXED})
    _fixed(path, config, _TRANSFORMER_FIXED)
    length = config.get("max_seq_length")
    if length is not None and (not isinstance(length, int) or length < 1):
        raise EncoderError(f"{path}: max_seq_length {length!r} is no length")
    return length, bool(config.get("do_lower_case", False))


def _read_pooling(folder: Path) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    path = folder / "config.json"
    config = read_json(path, dict)
    known = {
        "word_embedding_dimension",
        "embedding_dimension",
        "pooling_mode",
        "include_prompt",
        *_LEGACY_MODES,
    }
    _only(path, config, known)
    mode = config.get("pooling_mode")
    if mode is None:
        modes = tuple(mode for key, mode in _LEGACY_MODES.items() if config.get(key)) or ("mean",)
    else:
        modes = (mode,) if isinstance(mode, str) else tuple(mode)
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise EncoderError(
            f"{path}: unknown pooling mode {unknown[0]!r}", remedy=f"supported: {', '.join(MODES)}"
        )
    behaviour = {
        "pooling_mode": list(modes),
        "embedding_dimension": config.get("embedding_dimension", config.get("word_embedding_dimension")),
        "include_prompt": config.get("include_prompt", True),
    }
    return modes, behaviour


def _read_dense(folder: Path) -> DenseSpec:
    path = folder / "config.json"
    config = read_json(path, dict)
    names = {"module_input_name": ("sentence_embedding",), "module_output_name": ("sentence_embedding", None)}
    fixed = {**names, "use_residual": (False,)}
    _only(path, config, {"in_features", "out_features", "bias", "activation_function", *fixed})
    _fixed(path, config, fixed)
    activation = config.get("activation_function", "torch.nn.Tanh")
    if activation not in ACTIVATIONS:
        raise EncoderError(f"{path}: unknown activation function {activation!r}")
    sizes = config.get("in_features"), config.get("out_features")
    if not all(isinstance(size, int) and 0 < size < 2**20 for size in sizes):
        raise EncoderError(f"{path}: in_features and out_features {sizes!r} are no widths")
    return DenseSpec(folder, *sizes, bias=bool(config.get("bias", True)), activation=activation)


def _check_normalize(folder: Path) -> None:
    path = folder / "config.json"
    if path.is_file():  # versions before 6 write none
        config = read_json(path, dict)
        fixed = {
            "module_input_name": ("sentence_embedding",),
            "module_output_name": ("sentence_embedding", None),
        }
        _only(path, config, set(fixed))
        _fixed(path, config, fixed)


def _read_similarity(folder: Path) -> str:
    """How the library compares embeddings; cosine where nothing is said."""
    path = folder / "config_sentence_transformers.json"
    return str((read_json(path, dict) if path.is_file() else {}).get("similarity_fn_name") or "cosine")


def _read_settings(folder: Path) -> tuple[str, Mapping[str, Any]]:
    """The default prompt; and that, all prompts by name, as users choose others so, and the width if cut."""
    path = folder / "config_sentence_transformers.json"
    if not path.is_file():
        return "", {"default_prompt": "", "prompts": {}}
    config = read_json(path, dict)
    known = {"__version__", "prompts", "default_prompt_name", "similarity_fn_name", "model_type"}
    _only(path, config, {*known, "truncate_dim"})
    _fixed(path, config, {"model_type": ("SentenceTransformer", None)})
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise EncoderError(f"{path}: prompts are no texts by name")
    name = config.get("default_prompt_name")
    if name is not None and name not in prompts:
        raise EncoderError(f"{path}: no prompt is called {name!r}, the default")
    # an empty prompt is none: version 5 began to write {"query": "", "document": ""} for encoders without any
    used = {key: text for key, text in sorted(prompts.items()) if text}
    prompt = prompts[name] if name is not None else ""
    if len(prompt) > LONGEST_PROMPT:
        raise EncoderError(f"{path}: a prompt of {len(prompt)} characters is longer than any encoder has")
    width = config.get("truncate_dim")
    if width is not None and (type(width) is not int or width < 1):
        raise EncoderError(f"{path}: truncate_dim {width!r} is no number of dimensions")
    return prompt, {
        "default_prompt": prompt,
        "prompts": used,
        **({} if width is None else {"truncate_dim": width}),
    }
