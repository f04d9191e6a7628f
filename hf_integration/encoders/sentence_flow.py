"""What decides how a sentence-transformers object calls its parts, and stands in no file of its folder."""

import copy
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from hf_integration.encoders.in_process import Finding
from hf_integration.encoders.json_files import read_json
from hf_integration.errors import SSLAuthError

_AGAIN = "load it again from its folder"


def sentence_flow(sentence: Any) -> Iterator[Finding]:
    """What is not as the library sets it when it loads an object, of one that was loaded or put together.

    Args:
        sentence: a ``SentenceTransformer`` or a ``CrossEncoder``.
    """
    for number, part in enumerate(sentence.children()):
        place = f"module {number} of the {type(sentence).__name__}"
        for name in vars(part):
            if name not in vars(nn.Module()) and _is_setting(inspect.getattr_static(type(part), name, None)):
                yield _otherwise(f"{name}, which is its class's,", place)
        model = _inner(getattr(part, "auto_model", None))
        if isinstance(model, nn.Module) and hasattr(part, "input_formatter"):
            for name in _transformer_flow(part, model):
                yield _otherwise(name, place)


def cross_encoder_flow(encoder: Any) -> Iterator[Finding]:
    """The same for a cross-encoder, and what it does with a score."""
    yield from sentence_flow(encoder)
    settings = _file(encoder, "config_sentence_transformers.json")
    config = _file(encoder, "config.json")
    said = [
        _full_name(encoder.get_default_activation_fn()),
        settings.get("activation_fn"),
        config.get("sbert_ce_default_activation_function"),
    ]
    if _full_name(encoder.activation_fn) not in said:
        yield _otherwise(f"activation_fn, {type(encoder.activation_fn).__name__},", "the CrossEncoder")
    for name in ("prompts", "default_prompt_name"):
        if (held := getattr(encoder, name, None)) and held != settings.get(name):
            yield _otherwise(name, "the CrossEncoder")


def _transformer_flow(part: Any, model: Any) -> Iterator[str]:
    """Attributes of a ``Transformer`` that the library computes, and that have another value."""
    taken = set(inspect.signature(type(model).forward).parameters) - {"self"}
    passed = getattr(part, "model_forward_params", None)
    if passed is not None and not taken - {"kwargs"} <= set(passed):
        yield "model_forward_params"
    if taken != set(getattr(part, "_declared_forward_params", taken)):
        yield "_declared_forward_params"
    kernel = str(getattr(model.config, "_attn_implementation", ""))
    if getattr(part, "can_flatten_inputs", False) and "flash" not in kernel:
        yield "can_flatten_inputs"
    if getattr(part, "backend", "torch") != "torch":
        yield "backend"
    formatter = part.input_formatter
    plain = type(formatter)(model_type=model.config.model_type, processor=part.processor)
    plain.supported_modalities = list(part.modality_config)
    if formatter.processor is not part.processor or _settings(formatter) != _settings(plain):
        yield "input_formatter"
    lengths = getattr(part, "_prompt_length_mapping", {})
    if lengths and lengths != _prompt_lengths(part, lengths):
        yield "_prompt_length_mapping"


def _prompt_lengths(part: Any, lengths: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The lengths of the same prompts, counted anew."""
    again = copy.copy(part)
    again._prompt_length_mapping = {}
    for prompt, *options in lengths:
        again._get_prompt_length(prompt, **dict(options))
    counted: Mapping[Any, Any] = again._prompt_length_mapping
    return counted


def _settings(formatter: Any) -> dict[str, Any]:
    left_out = ("processor", "_pair_role_probe")
    settings = {name: value for name, value in vars(formatter).items() if name not in left_out}
    return {name: value for name, value in settings.items() if not callable(value)}  # those are patches


def _inner(model: Any) -> Any:
    """The model within the containers that may be around it inside of a ``Transformer``."""
    while (inner := getattr(model, "_orig_mod", None) or getattr(model, "module", None)) is not None:
        model = inner
    return model


def _is_setting(of_class: Any) -> bool:
    return of_class is not None and not callable(of_class) and not hasattr(of_class, "__get__")


def _full_name(function: Any) -> str:
    return f"{type(function).__module__}.{type(function).__name__}"


def _file(encoder: Any, name: str) -> Mapping[str, Any]:
    """A file of what an object was loaded from, if it is still at hand."""
    from transformers.utils.hub import cached_file

    try:
        path = cached_file(encoder.model.name_or_path, name, local_files_only=True)
        found: Mapping[str, Any] = read_json(Path(path or ""), dict)
    except (OSError, ValueError, SSLAuthError):
        return {}
    return found


def _otherwise(name: str, place: str) -> Finding:
    return Finding(f"{name} of {place} is not what the library sets", _AGAIN)
