"""Making strings harmless for a terminal: what a card or a repository says must not move the cursor."""

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


def _spelled(character: str) -> str:
    # isprintable() is false for exactly the dangerous classes: control, format (bidi, zero-width), surrogate,
    # private use, unassigned, and separators besides the space
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
