"""Compare recorded behaviour with what is at hand, key by key.

A key that only one side has is a difference, unless it says nothing: ``None``, ``False``, or the default of
the configuration's class on that side (a newer library adds keys). A file that only one side has is one, too,
with one exception: the raw ``tokenizer.json`` stands beside the effective tokenizer, which is compared
anyway, so its absence takes nothing away.
"""

from collections.abc import Mapping
from typing import Any

from hf_integration.encoders.canonical import canonical
from hf_integration.encoders.configuration_behaviour import DEFAULTS_SUFFIX
from hf_integration.encoders.tokenizer_behaviour import AS_SHIPPED, EFFECTIVE

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
    differences: list[str] = []
    obeyed: set[str] = set()
    for file in sorted({*recorded, *current}):
        if file.endswith(DEFAULTS_SUFFIX):
            continue
        if file == AS_SHIPPED:
            continue
        was, now = recorded.get(file, {}), current.get(file, {})
        was_defaults = recorded.get(file + DEFAULTS_SUFFIX, {})
        now_defaults = current.get(file + DEFAULTS_SUFFIX, {})
        for key in sorted({*was, *now}):
            old, new = was.get(key, _ABSENT), now.get(key, _ABSENT)
            if old is _ABSENT and _says_nothing(key, new, now_defaults):
                continue
            if new is _ABSENT and _says_nothing(key, old, was_defaults):
                continue
            if old is _ABSENT or new is _ABSENT or not _equal(old, new):
                differences.append(_line(file, key, old, new))
                if file == EFFECTIVE:
                    obeyed.add(key)
    shipped = _shipped_differences(recorded, current)
    # an edit that the library obeys shows in both, and is one
    return (*differences, *(line for key, line in shipped.items() if key not in obeyed))


def spoken_behaviour(behaviour: Behaviour) -> dict[str, dict[str, Any]]:
    """Behaviour without the keys that say nothing, which come and go with versions of the library."""
    return {
        file: {
            key: value
            for key, value in values.items()
            if not _says_nothing(key, value, behaviour.get(file + DEFAULTS_SUFFIX, {}))
        }
        for file, values in behaviour.items()
        if not file.endswith(DEFAULTS_SUFFIX)
    }


def _shipped_differences(recorded: Behaviour, current: Behaviour) -> dict[str, str]:
    """Differences in the raw tokenizer file, by key.

    ``save_pretrained`` rewrites that file from the effective tokenizer, so each key may equal either what
    was shipped or what was effective.
    """
    was, effective = recorded.get(AS_SHIPPED, {}), recorded.get(EFFECTIVE, {})
    now = current.get(AS_SHIPPED)
    if now is None:
        return {}
    lines = {}
    for key in sorted({*was, *now} if was else {*effective, *now}):
        new = now.get(key, _ABSENT)
        candidates = [side.get(key, _ABSENT) for side in (was, effective) if side]
        if any(_equal(new, candidate) for candidate in candidates) or (new is None and _ABSENT in candidates):
            continue
        lines[key] = _line(AS_SHIPPED, key, candidates[0] if candidates else _ABSENT, new)
    return lines


def _says_nothing(key: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    return value is None or value is False or (key in defaults and _equal(defaults[key], value))


def _equal(one: Any, other: Any) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    # As JSON text: 1 and 1.0 and True are three values there, and NaN equals itself.
    return canonical(one) == canonical(other)


def _line(file: str, key: str, old: Any, new: Any) -> str:
    if all(isinstance(value, str) and value.startswith("sha256:") for value in (old, new)):
        what = VOCABULARY if file in (EFFECTIVE, AS_SHIPPED) and key == "model" else _plain(key)
        return f"{_plain(file)}: {what} differs"  # a digest would tell nobody more
    return f"{_plain(file)}: {_plain(key)}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    # ASCII JSON: control characters and terminal escapes arrive as \\uXXXX.
    text = "(absent)" if value is _ABSENT else canonical(value)
    text = text.replace("\x7f", "\\u007f")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _plain(text: str) -> str:
    return canonical(str(text))[1:-1].replace("\x7f", "\\u007f")[:_SHOWN]
