"""A sentence-transformers object in memory, read as the folder would be that it would be saved to."""

import copy
import inspect
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from hf_integration.base.errors import EncoderError, SSLAuthError
from hf_integration.base.text import quoted
from hf_integration.encoders.files.json_values import read_json
from hf_integration.encoders.identity.in_process import Finding
from hf_integration.encoders.identity.provenance import is_of_library
from hf_integration.encoders.modalities.model_settings import FILE
from hf_integration.encoders.modalities.sentence_modules import (
    SentenceModules,
    by_route,
    read_sentence_modules,
)
from hf_integration.encoders.modalities.tail_modules import Dense, ModuleSpec
from hf_integration.encoders.sentence_parts import parts_of

_OF_OBJECT = (
    "model_type",
    "prompts",
    "default_prompt_name",
    "similarity_fn_name",
    "truncate_dim",
    "max_active_dims",
    "keep_in_fp32_modules",
)
_OF_MODEL = ("output_hidden_states", "num_labels")
_SETTINGS = ("sentence_bert_config.json", "config.json")  # of the transformer, of the others


@dataclass(frozen=True)
class SentenceObject:
    """What an object of the library is put together from.

    Attributes:
        read: its modules and settings.
        before: the modules between its model and its pooling, as they run.
        tail: those behind the pooling.
    """

    read: SentenceModules
    before: Mapping[str, nn.Module]
    tail: Mapping[str, nn.Module]


def read_sentence_object(sentence: Any) -> SentenceObject:
    """The pooling, prompts and further modules of an object, and the modules around its model as they run.

    The object's own settings are written out as the library writes them, weights aside, and read by the one
    reader of such folders: what it refuses there, it refuses here.

    Args:
        sentence: a ``SentenceTransformer``, ``SparseEncoder`` or ``CrossEncoder``.

    Raises:
        EncoderError: a module or a setting that is not supported.
    """
    found = parts_of(sentence)
    parts = found.modules
    with tempfile.TemporaryDirectory(prefix="sslauth-object-") as place:
        entries = [_write(Path(place), number, part) for number, part in enumerate(parts)]
        (Path(place) / "modules.json").write_text(json.dumps(entries))
        settings = {key: _plain(getattr(sentence, key, None)) for key in _OF_OBJECT}
        settings = {key: value for key, value in settings.items() if value is not None}
        if (activation := getattr(sentence, "activation_fn", None)) is not None:
            settings["activation_fn"] = _full_name(activation)
        (Path(place) / FILE).write_text(json.dumps(settings))
        try:
            read = read_sentence_modules(Path(place))
        except EncoderError as error:  # it names files that nobody else has seen
            message = Exception.__str__(error).replace(place, "").replace(": ", " in memory: ", 1)
            raise EncoderError(message.removeprefix("/"), remedy=error.remedy) from None
    if read is None:
        raise EncoderError(f"a {type(sentence).__name__} without modules")
    if found.route is not None:
        read = by_route(read, found.route)
    read = replace(read, do_lower_case=bool(getattr(parts[0], "do_lower_case", False)))
    before, tail = (
        {name: _running(name, spec, parts) for name, spec in specs.items()}
        for specs in (read.before, read.tail)
    )
    return SentenceObject(read, before, tail)


def _running(name: str, spec: ModuleSpec, parts: Sequence[Any]) -> nn.Module:
    """A module of ours that runs the layers of the object's own module, with whatever was done to them."""
    module = spec.build()
    place = name.partition("_")[0]
    if not place.isdecimal():  # of the settings of the whole encoder
        return module
    part = parts[int(place)]
    if isinstance(module, Dense):
        if repr(part.activation_function) != repr(module.activation):
            raise EncoderError(f"{name}: {part.activation_function!r} is not supported with its arguments")
        module.activation = part.activation_function
    for layer, own in list(module.named_children()):
        if layer == "activation":
            continue
        if type(getattr(part, layer)) is not type(own):
            raise EncoderError(
                f"{name}: {type(getattr(part, layer)).__name__} is not supported in the place of "
                f"{type(own).__name__}"
            )
        setattr(module, layer, getattr(part, layer))
    for weight, _ in list(module.named_parameters(recurse=False)):
        setattr(module, weight, getattr(part, weight))
    return module


def gives_scores(encoder: Any) -> bool:
    """Whether a cross-encoder in memory is compared by its scores, and not by the model below its head.

    It is, but where the folder that it says it was loaded from is a plain transformers folder: a card of that
    one is of the model below the head.
    """
    model = _file(encoder, "config.json")
    marked = {"sentence_transformers", "sbert_ce_default_activation_function"} & model.keys()
    return not model or bool(marked) or _file(encoder, FILE).get("model_type") == "CrossEncoder"


def _write(place: Path, number: int, part: Any) -> dict[str, Any]:
    """Write one module's settings, and give its entry in ``modules.json``."""
    kind = type(part)
    path = f"{number}_{kind.__name__}" if number else ""
    (place / path).mkdir(exist_ok=True)
    if not number:  # what of the model's own configuration the other modules depend on
        model = getattr(part, "auto_model", None)
        known = {key: getattr(getattr(model, "config", None), key, None) for key in _OF_MODEL}
        (place / "config.json").write_text(json.dumps(known))
    of_class = getattr(kind, "get_config_dict", None)  # one that hides it is named as a patch
    settings = {} if of_class is None else _plain(of_class(part))
    settings.pop("max_seq_length", None)  # it is the tokenizer's
    try:
        (place / path / _SETTINGS[bool(number)]).write_text(json.dumps(settings))
    except TypeError as error:
        raise EncoderError(f"{kind.__name__} of a SentenceTransformer: {error}") from None
    name = f"{kind.__module__}.{kind.__qualname__}"
    return {"idx": number, "name": str(number), "path": path, "type": name}


def _plain(value: Any) -> Any:
    """A setting as JSON would hold it; an enumeration by its value."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return getattr(value, "value", value)


_AGAIN = "load it again from its folder"


def sentence_flow(sentence: Any) -> Iterator[Finding]:
    """What is not as the library sets it when it loads an object, of one that was loaded or put together.

    Args:
        sentence: a ``SentenceTransformer`` or a ``CrossEncoder``.
    """
    parts = parts_of(sentence)
    for name in () if parts.route is None else parts.route.others:
        what = f"route '{quoted(name)}' of the Router in memory, which is neither run nor compared"
        yield Finding(what, "check its folder, or give the modules of one route as an object of their own")
    for number, part in enumerate(parts.modules):
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
    settings = _file(encoder, FILE)
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
    if not _is_plain(part.input_formatter, part, model):
        yield "input_formatter"
    lengths = getattr(part, "_prompt_length_mapping", {})
    if lengths and lengths != _prompt_lengths(part, lengths):
        yield "_prompt_length_mapping"


def _is_plain(formatter: Any, part: Any, model: Any) -> bool:
    """Whether texts are brought into shape as the library does it for this model."""
    if not is_of_library(type(formatter), "sentence_transformers"):
        return False
    plain = type(formatter)(model_type=model.config.model_type, processor=part.processor)
    plain.supported_modalities = list(part.modality_config)
    return formatter.processor is part.processor and _settings(formatter) == _settings(plain)


def _prompt_lengths(part: Any, lengths: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The lengths of the same prompts, counted anew; none where they cannot be."""
    again = copy.copy(part)
    again._prompt_length_mapping = {}
    try:
        for prompt, *options in lengths:
            again._get_prompt_length(prompt, **dict(options))
    except Exception:  # whatever somebody wrote there
        return {}
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
