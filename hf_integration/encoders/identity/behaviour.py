"""What loaded objects obey, and the comparison of what was recorded of it with what is so now, key by key.

A key that only one side has is a difference, unless it says nothing: ``None``, ``False``, or the default of
the configuration's class on that side (a newer library adds keys). A file that only one side has is one, too.
Keys that cannot matter are left out, see :mod:`hf_integration.encoders.identity.inert`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hf_integration.encoders.files.json_values import canonical, condensed, condensed_keys, same_numbers
from hf_integration.encoders.identity.folder_record import flattened
from hf_integration.encoders.identity.inert import IMPLIED, why_inert

Files = Mapping[str, Mapping[str, Any]]

_DEFAULTS = " (defaults)"
"""End of the name by which a card's record keeps defaults: ``config.json (defaults)``."""


@dataclass(frozen=True)
class Behaviour:
    """What loaded objects obey, as JSON values.

    Attributes:
        files: file -> key -> effective value.
        defaults: file -> key -> default of the class that the file configures, where it has any.
    """

    files: Files = field(default_factory=dict)
    defaults: Files = field(default_factory=dict)

    def __or__(self, other: "Behaviour") -> "Behaviour":
        """Both; of a file that is in both, the other's."""
        return Behaviour({**self.files, **other.files}, {**self.defaults, **other.defaults})

    def get(self, file: str) -> Mapping[str, Any]:
        """The effective values of a file; none of one that is not there."""
        return self.files.get(file, {})

    def differences_to(self, current: "Behaviour") -> dict[tuple[str, str], str]:
        """Differences as ``file: key: was -> is``, by file and key; empty where the behaviour is the same.

        Args:
            current: that of the encoder being checked; this one is the card's.
        """
        differences: dict[tuple[str, str], str] = {}
        for file in sorted({*self.files, *current.files}):
            was, now = self.get(file), current.get(file)
            was_defaults, now_defaults = (
                {**IMPLIED, **behaviour.defaults.get(file, {})} for behaviour in (self, current)
            )
            for key in sorted({*was, *now}):
                old, new = was.get(key, _ABSENT), now.get(key, _ABSENT)
                if old is _ABSENT and _says_nothing(key, new, now_defaults):
                    continue
                if new is _ABSENT and _says_nothing(key, old, was_defaults):
                    continue
                if _equal(old, new) or why_inert(file, key):
                    continue
                differences[file, key] = _line(file, key, old, new)
        return differences

    def spoken(self) -> dict[str, dict[str, Any]]:
        """The files without keys that say nothing, which come and go with versions of the library."""
        return {
            file: {
                key: value
                for key, value in values.items()
                if not _says_nothing(key, value, self.defaults.get(file, {})) and not why_inert(file, key)
            }
            for file, values in self.files.items()
        }

    @classmethod
    def from_record(cls, record: Files) -> "Behaviour":
        """Read what a card records: defaults are kept there as if they were a file of their own."""
        return cls(
            {file: values for file, values in record.items() if not file.endswith(_DEFAULTS)},
            {
                file.removesuffix(_DEFAULTS): values
                for file, values in record.items()
                if file.endswith(_DEFAULTS)
            },
        )

    def to_record(self) -> dict[str, Mapping[str, Any]]:
        """What a card records, the inverse of :meth:`from_record`."""
        return {**self.files, **{file + _DEFAULTS: values for file, values in self.defaults.items()}}


_VOLATILE = frozenset(
    {
        "_attn_implementation",
        "_attn_implementation_internal",
        "_commit_hash",
        "_experts_implementation",
        "_name_or_path",
        "architectures",
        "attn_implementation",
        "dtype",
        "id2label",
        "label2id",
        "num_labels",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "return_dict",
        "sbert_ce_default_activation_function",  # taken out by its library; recorded as the activation
        "torch_dtype",
        "torchscript",
        "transformers_version",
        "use_cache",
    }
)
# Of image processors and feature extractors: which class prepares, not how.
_VOLATILE_PROCESSOR = frozenset(
    {"feature_extractor_type", "image_processor_type", "processor_class", "backend"}
)


def configuration_behaviour(config: Any) -> Behaviour:
    """``config.json`` with every default filled in, and the defaults of its class beside it.

    A newer library adds keys; the defaults tell a key that was added with its default from one that was set.

    Args:
        config: a transformers configuration, or ``None``.
    """
    if config is None:
        return Behaviour()
    try:
        defaults = type(config)().to_dict()
    except Exception:  # a class that cannot be built without arguments has no defaults to compare with
        defaults = {}
    return Behaviour({"config.json": _steady(config.to_dict())}, {"config.json": _steady(defaults)})


def processor_behaviour(processor: Any) -> Behaviour:
    """``preprocessor_config.json`` as the processor obeys it; functions are no settings of any file."""
    settings = {key: value for key, value in processor.to_dict().items() if not callable(value)}
    return Behaviour({"preprocessor_config.json": _steady(settings, _VOLATILE | _VOLATILE_PROCESSOR)})


def _steady(values: Mapping[str, Any], volatile: frozenset[str] = _VOLATILE) -> dict[str, Any]:
    # composite configurations hold whole configurations, with volatile keys of their own
    return {key: value for key, value in flattened(values).items() if key.rpartition(".")[2] not in volatile}


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


def tokenizer_behaviour(tokenizer: Any) -> Behaviour:
    """Effective tokenizer, file by file."""
    names = _ATTRIBUTES if hasattr(tokenizer, "backend_tokenizer") else (*_ATTRIBUTES, *_OF_PYTHON)
    config = {name: condensed(getattr(tokenizer, name)) for name in names if hasattr(tokenizer, name)}
    special = getattr(tokenizer, "special_tokens_map", {})
    if remote := getattr(tokenizer, "init_kwargs", {}).get("auto_map"):
        config["auto_map"] = condensed(remote)
    config |= {name: condensed(_as_text(value)) for name, value in sorted(special.items())}
    return Behaviour({EFFECTIVE: _backend(tokenizer), "tokenizer_config.json": config})


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


def _as_text(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def pipeline_as_saved(tokenizer: Any) -> Mapping[str, Any]:
    """``tokenizer.json`` as the library would write it, key by key."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return {} if backend is None else condensed_keys(json.loads(backend.to_str()))


VOCABULARY = "model (vocabulary and merges)"
"""What a tokenizer's file calls its model, which is none that is trained here."""

_ABSENT = object()
_SHOWN = 60  # characters of a value in a message


def _says_nothing(key: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    return (
        value is None or value is False or value == {} or (key in defaults and _equal(defaults[key], value))
    )


def _equal(one: Any, other: Any) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return same_numbers(one, other)


def _line(file: str, key: str, old: Any, new: Any) -> str:
    if all(isinstance(value, str) and value.startswith("sha256:") for value in (old, new)):
        what = VOCABULARY if file == EFFECTIVE and key == "model" else shown(key)
        return f"{shown(file)}: {what} differs"  # a digest would tell nobody more
    return f"{shown(file)}: {shown_change(key, old, new)}"


def shown_change(key: str, old: Any, new: Any) -> str:
    """``key: was -> is``, of the one part that differs where only one does: ``normalizer.lowercase: …``.

    Args:
        key: name of the value.
        old: the value as it was; a plain ``object()`` for one that is absent.
        new: the value as it is.
    """
    parts = [key]
    while len(found := _parts_that_differ(old, new)) == 1:
        (part,) = found
        old, new = old[part], new[part]
        parts.append(str(part))
    values = ["(absent)" if type(value) is object else shown_value(value) for value in (old, new)]
    return f"{shown('.'.join(parts))}: {values[0]} -> {values[1]}"


def _parts_that_differ(old: Any, new: Any) -> list[Any]:
    """Keys or places at which two values of one form differ; none for other values."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [key for key in old if not _equal(old[key], new[key])]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [place for place in range(len(old)) if not _equal(old[place], new[place])]
    return []


def shown(name: str) -> str:
    """A name or a value of unknown origin, made fit for one line."""
    return _text(canonical(str(name))[1:-1])


def shown_value(value: Any) -> str:
    """A JSON value of unknown origin, made fit for one line."""
    return _text(canonical(value))


def _text(text: str) -> str:
    # ASCII JSON: control characters and terminal escapes arrive as \\uXXXX.
    text = text.replace("\x7f", "\\u007f")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
