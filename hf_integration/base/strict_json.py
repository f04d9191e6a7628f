"""JSON from a stranger, read strictly; JSON for strangers, written so."""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from hf_integration.base.errors import FlawError

DEEPEST = 32
"""Levels of nesting; real configurations stay below ten."""

MOST_VALUES = 50_000
"""Separators in a file, unless the caller knows of more. An empty list takes three bytes in a file and 64 in
memory, so that the size of a file alone does not bound what reading it allocates."""

LONGEST_NUMBER = 40
"""Characters of a number: 128 bits in decimal, which also holds the 10**30 that stands for "no limit" in
tokenizer configurations. Reading longer ones takes quadratic time."""

LONGEST_STRING = 1 << 20
"""Characters of a string: a chat template or a normaliser's table is the longest that occurs."""


def parse(data: bytes, *, most_values: int = MOST_VALUES, longest: int = LONGEST_STRING) -> Any:
    """Read one JSON document.

    Args:
        data: untrusted bytes; the caller has bounded their number.
        most_values: separators that it may have: an answer full of embeddings has more than any card.
        longest: characters that a string may have: a file within a file has more than any other.

    Raises:
        FlawError: it is not JSON, or not of the narrow kind that cards are written in.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > most_values:
        raise FlawError("", f"more than {most_values} values")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise FlawError("", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise FlawError(
            "", f"not valid JSON at line {error.lineno} column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise FlawError("", f"nested deeper than {DEEPEST} levels") from None
    _check_values(value, longest)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FlawError(key, "the key occurs twice")
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    _check_length(digits)
    return int(digits)


def _number(digits: str) -> float:
    _check_length(digits)
    number = float(digits)
    if not math.isfinite(number):
        raise FlawError("", f"the number {digits} is too large")
    return number


def _check_length(digits: str) -> None:
    if len(digits) > LONGEST_NUMBER:
        raise FlawError("", f"a number of {len(digits)} characters, more than {LONGEST_NUMBER}")


def _constant(name: str) -> NoReturn:
    raise FlawError("", f"{name} is not a JSON number")


def _check_values(value: Any, longest: int) -> None:
    # a stack of its own: a hostile document must not decide how deep this function calls itself
    level = [("", value)]
    for _ in range(DEEPEST):
        deeper: list[tuple[str, Any]] = []
        for key, item in level:
            if isinstance(item, str):
                _check_string(key, item, longest)
            elif isinstance(item, list):
                deeper += [(key, member) for member in item]
            elif isinstance(item, dict):
                for name, member in item.items():
                    _check_string(key, name, longest)
                    deeper.append((name, member))
        if not deeper:
            return
        level = deeper
    raise FlawError("", f"nested deeper than {DEEPEST} levels")


def _check_string(key: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise FlawError(key, f"a string of {len(text)} characters, more than {longest}")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise FlawError(key, "a string with a lone surrogate")


def strict_json(value: Any, *, one_line: bool = False) -> str:
    """JSON that every parser accepts: no NaN or infinity (null instead), and ASCII only.

    ASCII, because JSON allows characters that a terminal would obey, such as bidirectional overrides.
    """
    return json.dumps(_finite(value), allow_nan=False, indent=None if one_line else 2)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
