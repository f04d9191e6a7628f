"""Strings of unknown origin: what a card, a repository or a server says must not steer a terminal."""

import unicodedata
from collections.abc import Sequence

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that steer a terminal or reorder a line instead of showing a character."""

LONGEST_QUOTE = 120
"""Most characters of somebody else's string in a message: one line must stay one line."""


def is_plain(text: str) -> bool:
    """Whether a string shows what it holds: no control, bidirectional or surrogate characters.

    What a card may record is decided by this, and must be so in every Python: characters that its Unicode
    tables do not know yet are plain here, though :func:`harmless` spells them out.
    """
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def quoted(text: str, *, longest: int = LONGEST_QUOTE) -> str:
    """Somebody else's string within a message, on one line: :func:`harmless`, and shorter."""
    return harmless(text, longest=longest)


LONGEST = 300
"""Longest text shown for one value: a name of a megabyte must not push the headline off the screen."""


def harmless(text: object, *, longest: int = LONGEST) -> str:
    r"""Text on one line, with everything that a terminal would obey or hide spelled out.

    Control characters, escape sequences, line separators, bidirectional overrides, zero-width characters and
    lone surrogates become ``\x1b``, ``\u202e`` and so on. Letters of all scripts stay.

    Args:
        text: anything; its ``str`` is shown.
        longest: texts with more characters are cut, and marked as cut.
    """
    value = str(text)
    cut = value[:longest]
    shown = cut if cut.isprintable() else "".join(map(_spelled, cut))
    return shown if len(value) <= longest else f"{shown}…"


def listed(names: Sequence[object], most: int = 1) -> str:
    """The first of some names, and how many more there are: ``a, b and 3 more``.

    Args:
        names: of unknown origin; at least one.
        most: how many are shown.
    """
    shown = ", ".join(quoted(str(name)) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _spelled(character: str) -> str:
    # isprintable() is false for exactly the dangerous classes: control, format (bidi, zero-width), surrogate,
    # private use, unassigned, and separators besides the space
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
