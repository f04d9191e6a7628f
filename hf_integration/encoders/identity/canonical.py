"""JSON values in one form, so that equal behaviour has equal text and large values stay small."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

LONGEST = 200  # characters; a vocabulary is compared by its digest


def canonical(value: Any) -> str:
    """The value as JSON with sorted keys and no blanks; what JSON does not know becomes its ``repr``."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr)


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON, where 1, 1.0 and True are three, and NaN equals itself."""
    return canonical(one) == canonical(other)


def same_numbers(one: Any, other: Any) -> bool:
    """The same, but a whole number may be written with or without a fraction: 10000.0, 10000."""
    return same_json(_without_fractions(one), _without_fractions(other))


def _without_fractions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_fractions(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_fractions(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and str(value) != "-0.0"
    return int(value) if whole else value


def condensed(value: Any) -> Any:
    """The value as JSON would give it back, or ``sha256:…`` of its canonical text if that is long."""
    text = canonical(value)
    if len(text) > LONGEST:
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    return json.loads(text)


def condensed_keys(values: Mapping[str, Any], *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Every value condensed, in the order of the keys."""
    return {key: condensed(values[key]) for key in sorted(values) if key not in without}
