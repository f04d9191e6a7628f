"""JSON of an encoder: its files, read within bounds, and its values in one form that can be compared."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hf_integration.base.errors import EncoderError, FlawError
from hf_integration.base.files import open_bounded, read_exactly

# The largest tokenizer.json in use (262,000 pieces and 515,000 merges) takes 33 MB.
MAX_BYTES = 256 * 2**20

DEEPEST = 64
"""Levels of nesting; settings have some ten, and what walks through them later calls itself for each."""

MOST_VALUES = 8_000_000
"""Separators and brackets of a file; the largest tokenizer in use has some 2.5 million. An empty list takes
three bytes in a file and 64 in memory, so that the size alone does not bound what reading it allocates."""


def read_json(path: Path, kind: type | tuple[type, ...] = (dict, list)) -> Any:
    """Parse one file.

    Raises:
        EncoderError: missing, unreadable, oversized, not JSON, or JSON of another kind.
    """
    try:
        with open_bounded(path, MAX_BYTES) as (stream, size):
            value = parse(read_exactly(stream, size))
    except FlawError as flaw:
        missing = flaw.reason == "the file is missing"
        raise EncoderError(
            f"{path}: {'missing' if missing else flaw}",
            remedy="the copy is incomplete: get it again" if missing else "download it again",
        ) from None
    except (ValueError, RecursionError) as error:  # also bad UTF-8
        raise EncoderError(f"{path}: damaged JSON: {error}", remedy="download it again") from error
    if not isinstance(value, kind):
        raise EncoderError(f"{path}: holds a JSON {type(value).__name__}, which is not expected there")
    return value


def parse(data: bytes | bytearray) -> Any:
    """Parse JSON whose structure is bounded; keys within an object are distinct.

    Raises:
        FlawError: more values or levels than any genuine file has, or a key that occurs twice.
        RecursionError: more levels than the parser bears.
        ValueError: no JSON.
    """
    check_values(data)
    value = json.loads(data, object_pairs_hook=_object)
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        if not level:
            return value
        members = (member for item in level for member in (item.values() if isinstance(item, dict) else item))
        level = [member for member in members if isinstance(member, dict | list)]
    raise FlawError("", f"nested deeper than {DEEPEST} levels")


def check_values(data: bytes | bytearray) -> None:
    """Refuse JSON of more values than any genuine file has, without parsing it.

    Raises:
        FlawError: there are.
    """
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > MOST_VALUES:
        raise FlawError("", f"{values} values, more than any genuine file has")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are distinct: of two values for one key, two libraries may take another each."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise FlawError(twice, "the key occurs twice")
    return found


def relative_folder(root: Path, name: object, where: str) -> Path:
    """A folder named inside another one's files.

    Raises:
        EncoderError: the name leads outside ``root``.
    """
    if not isinstance(name, str) or "\\" in name:
        raise EncoderError(f"{root / where}: {name!r} is no folder name")
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise EncoderError(f"{root / where}: {name!r} leads outside the encoder's folder")
    return root / parts


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
