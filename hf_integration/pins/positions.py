"""On which line of a TOML text a key stands: ``tomllib`` gives values, and no places.

The text up to some line either parses or ends within a value. The line on which a key's statement begins is
the one after the longest part that parses and does not have the key yet.
"""

import tomllib
from collections.abc import Sequence
from typing import Any

Path = Sequence[str | int]
"""Keys and positions in arrays, from the outermost in."""

MOST_TRIES = 300
"""A value of thousands of lines is not searched through; the line named is then one before it."""


def line_of(text: str, path: Path) -> int:
    """The line, from 1, on which the key at ``path`` is written; the first one if it is nowhere.

    Args:
        text: a document that parses.
        path: keys and positions in arrays.
    """
    lines = text.split("\n")
    without, beyond, tries = 0, len(lines), MOST_TRIES
    while beyond - without > 1:
        middle = (without + beyond) // 2
        for count in range(middle, beyond):
            tries -= 1
            if (found := _parsed(lines[:count])) is not None or tries <= 0:
                break
        if tries <= 0:
            break
        if found is None or _has(found, path):
            beyond = middle
        else:
            without = count
    return without + 1


def _parsed(lines: Sequence[str]) -> object:
    try:
        return tomllib.loads("\n".join(lines) + "\n")
    except ValueError:
        return None


def _has(value: object, path: Path) -> bool:
    for step in path:
        held: Any = value
        try:
            value = held[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
