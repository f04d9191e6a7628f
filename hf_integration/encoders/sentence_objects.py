"""A sentence-transformers object in memory, read as the folder would be that it would be saved to."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from hf_integration.encoders.sentence_modules import SentenceModules, read_sentence_modules
from hf_integration.encoders.tail_modules import ACTIVATIONS, Dense, Normalize, Truncate
from hf_integration.errors import EncoderError

_OF_OBJECT = ("prompts", "default_prompt_name", "similarity_fn_name", "truncate_dim")
_SETTINGS = ("sentence_bert_config.json", "config.json")  # of the transformer, of the others


def read_sentence_object(sentence: Any) -> tuple[SentenceModules, Mapping[str, nn.Module]]:
    """The pooling, prompts and further modules of an object, and the modules behind the pooling as they run.

    The object's own settings are written out as the library writes them, weights aside, and read by the one
    reader of such folders: what it refuses there, it refuses here.

    Args:
        sentence: a ``SentenceTransformer``.

    Raises:
        EncoderError: a module or a setting that is not supported.
    """
    parts = list(sentence.children())
    with tempfile.TemporaryDirectory(prefix="sslauth-object-") as place:
        entries = [_write(Path(place), number, part) for number, part in enumerate(parts)]
        (Path(place) / "modules.json").write_text(json.dumps(entries))
        settings = {key: _plain(getattr(sentence, key, None)) for key in _OF_OBJECT}
        settings = {key: value for key, value in settings.items() if value is not None}
        (Path(place) / "config_sentence_transformers.json").write_text(json.dumps(settings))
        try:
            read = read_sentence_modules(Path(place))
        except EncoderError as error:  # it names files that nobody else has seen
            message = Exception.__str__(error).replace(place, "").replace(": ", " in memory: ", 1)
            raise EncoderError(message.removeprefix("/"), remedy=error.remedy) from None
    if read is None:
        raise EncoderError("a SentenceTransformer without modules")
    transformer = parts[0]
    read = replace(
        read,
        max_seq_length=None,  # it is the tokenizer's
        do_lower_case=bool(getattr(transformer, "do_lower_case", False)),
    )
    tail: dict[str, nn.Module] = {}
    for (name, spec), part in zip(read.tail.items(), parts[2:], strict=True):
        if spec is None:
            tail[name] = Normalize()
            continue
        if repr(part.activation_function) != repr(ACTIVATIONS[spec.activation]()):
            raise EncoderError(f"{name}: {part.activation_function!r} is not supported with its arguments")
        if type(part.linear) is not nn.Linear:
            raise EncoderError(
                f"{name}: {type(part.linear).__name__} is not supported in the place of Linear"
            )
        dense = Dense(
            spec.in_features, spec.out_features, bias=spec.bias, activation=part.activation_function
        )
        dense.linear = part.linear  # the layer itself: it runs with whatever was done to it
        tail[name] = dense
    if read.truncate_dim is not None:
        tail["truncate_dim"] = Truncate(read.truncate_dim)
    return read, tail


def _write(place: Path, number: int, part: Any) -> dict[str, Any]:
    """Write one module's settings, and give its entry in ``modules.json``."""
    kind = type(part)
    path = f"{number}_{kind.__name__}" if number else ""
    (place / path).mkdir(exist_ok=True)
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
