"""JSON values in one form, so that equal behaviour has equal text and large values stay small."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

LONGEST = 200  # characters; a vocabulary is compared by its digest


def canonical(value: Any) -> str:
    """The value as JSON with sorted keys and no blanks; what JSON does not know becomes its ``repr``."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr)


def condensed(value: Any) -> Any:
    """The value as JSON would give it back, or ``sha256:…`` of its canonical text if that is long."""
    text = canonical(value)
    if len(text) > LONGEST:
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    return json.loads(text)


def condensed_keys(values: Mapping[str, Any], *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Every value condensed, in the order of the keys."""
    return {key: condensed(values[key]) for key in sorted(values) if key not in without}
