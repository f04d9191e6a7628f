"""Compare recorded behaviour with the current one, key by key.

A key that only one side has is a difference, unless it says nothing: ``None``, ``False``, or the default of
the configuration's class on that side (a newer library adds keys). A file that only one side has is one, too.
Keys that cannot matter are left out, see :mod:`hf_integration.encoders.identity.inert`.
"""

from collections.abc import Mapping
from typing import Any

from hf_integration.encoders.canonical import canonical, same_numbers
from hf_integration.encoders.configuration_behaviour import DEFAULTS_SUFFIX
from hf_integration.encoders.identity.inert import IMPLIED, why_inert
from hf_integration.encoders.tokenizer_behaviour import EFFECTIVE

Behaviour = Mapping[str, Mapping[str, Any]]

VOCABULARY = "model (vocabulary and merges)"
"""What a tokenizer's file calls its model, which is none that is trained here."""

_ABSENT = object()
_SHOWN = 60  # characters of a value in a message


def compare_behaviour(recorded: Behaviour, current: Behaviour) -> tuple[str, ...]:
    """Differences as ``file: key: was -> is``, empty when the behaviour is the same.

    Args:
        recorded: the card's :meth:`Encoder.behaviour`.
        current: that of the encoder being checked.
    """
    return tuple(behaviour_differences(recorded, current).values())


def behaviour_differences(recorded: Behaviour, current: Behaviour) -> dict[tuple[str, str], str]:
    """The differences of :func:`compare_behaviour` by file and key."""
    differences: dict[tuple[str, str], str] = {}
    for file in sorted({*recorded, *current}):
        if file.endswith(DEFAULTS_SUFFIX):
            continue
        was, now = recorded.get(file, {}), current.get(file, {})
        was_defaults = {**IMPLIED, **recorded.get(file + DEFAULTS_SUFFIX, {})}
        now_defaults = {**IMPLIED, **current.get(file + DEFAULTS_SUFFIX, {})}
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


def spoken_behaviour(behaviour: Behaviour) -> dict[str, dict[str, Any]]:
    """Behaviour without the keys that say nothing, which come and go with versions of the library."""
    return {
        file: {
            key: value
            for key, value in values.items()
            if not _says_nothing(key, value, behaviour.get(file + DEFAULTS_SUFFIX, {}))
            and not why_inert(file, key)
        }
        for file, values in behaviour.items()
        if not file.endswith(DEFAULTS_SUFFIX)
    }


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
