"""What a tokenizer obeys, whatever files it was read from."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hf_integration.encoders.canonical import condensed, condensed_keys

EFFECTIVE = "tokenizer.json"

# Truncation and padding are set anew by every call, the decoder never runs, and the version is the file's.
_NOT_OBEYED = frozenset({"truncation", "padding", "version", "decoder"})
_ATTRIBUTES = (
    "model_input_names",
    "padding_side",
    "truncation_side",
    "split_special_tokens",
    "pad_token_type_id",
)
_OF_PYTHON = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
"""Of tokenizers without a pipeline; the others have these settings in it."""


def tokenizer_behaviour(tokenizer: Any) -> dict[str, Mapping[str, Any]]:
    """Effective tokenizer, file by file."""
    names = _ATTRIBUTES if hasattr(tokenizer, "backend_tokenizer") else (*_ATTRIBUTES, *_OF_PYTHON)
    config = {name: condensed(getattr(tokenizer, name)) for name in names if hasattr(tokenizer, name)}
    special = getattr(tokenizer, "special_tokens_map", {})
    if remote := getattr(tokenizer, "init_kwargs", {}).get("auto_map"):
        config["auto_map"] = condensed(remote)
    config |= {name: condensed(_text(value)) for name, value in sorted(special.items())}
    return {EFFECTIVE: _backend(tokenizer), "tokenizer_config.json": config}


def _backend(tokenizer: Any) -> dict[str, Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return dict(_condensed_backend(backend.to_str()))
    # Python-only tokenizers have no serialised pipeline: their vocabulary stands for it.
    added = {str(index): str(token) for index, token in sorted(tokenizer.added_tokens_decoder.items())}
    return {
        "class": type(tokenizer).__name__,
        "vocab": condensed(tokenizer.get_vocab()),
        "added_tokens": condensed(added),
    }


@lru_cache(maxsize=8)
def _condensed_backend(text: str) -> Mapping[str, Any]:
    """Condensed once for each text: sorting a vocabulary takes longer than hashing all weights."""
    return condensed_keys(json.loads(text), without=_NOT_OBEYED)


def _text(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def pipeline_as_saved(tokenizer: Any) -> Mapping[str, Any]:
    """``tokenizer.json`` as the library would write it, key by key."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return {} if backend is None else condensed_keys(json.loads(backend.to_str()))
