"""What the library would write if it saved an encoder anew: what is in effect, in the words of the files."""

import json
from collections.abc import Mapping
from typing import Any

from hf_integration.encoders.files.json_values import condensed
from hf_integration.encoders.identity.folder_record import Keys, as_keys, flattened, whole

LONGEST_TEXT = "(longest text)"
"""Key of ``tokenizer_config.json`` in effect: how many tokens of a text the embedding is made of."""


def configuration_in_effect(config: Any, module: Any) -> dict[str, Keys]:
    """``config.json`` with every default, and the class and the dtype that are taken where it names none.

    Args:
        config: of the whole folder, of which the encoder may be a part.
        module: what was loaded from it.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), None)
    base = MODEL_MAPPING_NAMES.get(config.model_type, type(module).__name__)
    own = {
        "architectures": [base if isinstance(base, str) else base[0]],
        "dtype": str(dtype).removeprefix("torch."),
    }
    written = {**config.to_dict(), **own}
    flat = _placeless(flattened(written))
    return {"config.json": {**flat, "torch_dtype": flat["dtype"]}, "generation_config.json": flat}


def processor_in_effect(processor: Any, *, part: str) -> dict[str, Keys]:
    """``preprocessor_config.json``, and the same as a part of ``processor_config.json``.

    Args:
        processor: image processor or feature extractor.
        part: what the larger file calls it, e.g. ``image_processor``.
    """
    name = type(processor).__name__
    settings = _placeless(flattened({**processor.to_dict(), f"{part}_type": name}))
    return {
        "preprocessor_config.json": settings,
        "processor_config.json": {f"{part}.{key}": value for key, value in settings.items()},
    }


def tokenizer_in_effect(tokenizer: Any, *, pipeline: Keys) -> dict[str, Keys]:
    """What the library would write for a tokenizer, file by file.

    Args:
        tokenizer: as it was loaded.
        pipeline: ``tokenizer.json`` as the library would save it, key by key.
    """
    names = {*getattr(tokenizer, "init_kwargs", {}), *_ATTRIBUTES, *tokenizer.special_tokens_map}
    settings = {name: _json(_setting(tokenizer, name)) for name in names - _PLACES}
    settings["tokenizer_class"] = type(tokenizer).__name__
    settings["added_tokens_decoder"] = {
        str(number): _token(token) for number, token in sorted(tokenizer.added_tokens_decoder.items())
    }
    special = {name: _json(value) for name, value in tokenizer.special_tokens_map.items()}
    files: dict[str, Keys] = {
        "tokenizer.json": pipeline,
        "tokenizer_config.json": {key: condensed(value) for key, value in sorted(settings.items())},
        "special_tokens_map.json": {key: condensed(value) for key, value in special.items()},
        "added_tokens.json": as_keys("added_tokens.json", tokenizer.get_added_vocab()),
    }
    return files | _vocabulary_files(tokenizer)


_ATTRIBUTES = (
    "add_prefix_space",
    "clean_up_tokenization_spaces",
    "do_lower_case",
    "extra_special_tokens",
    "model_input_names",
    "model_max_length",
    "pad_token_type_id",
    "padding_side",
    "split_special_tokens",
    "strip_accents",
    "tokenize_chinese_chars",
    "truncation_side",
)
_PLACES = frozenset(
    {
        "_commit_hash",
        "_name_or_path",
        "merges_file",
        "name_or_path",
        "special_tokens_map_file",
        "tokenizer_file",
        "tokenizer_object",
        "vocab_file",
    }
)


def _placeless(settings: Keys) -> Keys:
    """Settings without the folder that they were loaded from, which is nobody's business."""
    return {key: value for key, value in settings.items() if key.rpartition(".")[2] not in _PLACES}


def _vocabulary_files(tokenizer: Any) -> dict[str, Keys]:
    """Vocabulary files that say the same as the pipeline: older libraries write them beside it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    model = json.loads(backend.to_str()).get("model", {}) if backend is not None else {}
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, Mapping):
        return {}
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)
    files = {
        "vocab.txt": whole("".join(f"{piece}\n" for piece in ordered).encode("utf-8", "surrogatepass")),
        "vocab.json": as_keys("vocab.json", vocabulary),
    }
    if isinstance(merges, list):
        pairs = [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
        files["merges.txt"] = whole("".join(f"{line}\n" for line in ("#version: 0.2", *pairs)).encode())
    return files


def _setting(tokenizer: Any, name: str) -> Any:
    return getattr(tokenizer, name, getattr(tokenizer, "init_kwargs", {}).get(name))


def _json(value: Any) -> Any:
    """A setting as JSON would hold it; special tokens by their text."""
    if type(value).__name__ == "AddedToken":
        return str(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


def _token(token: Any) -> dict[str, Any]:
    flags = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    return {flag: getattr(token, flag) for flag in flags if hasattr(token, flag)}
