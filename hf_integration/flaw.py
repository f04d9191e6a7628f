"""What is wrong with the contents of a file, before it is known which file, and whether read or written."""

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that steer a terminal or reorder a line instead of showing a character."""

LONGEST_QUOTE = 120
"""Most characters of somebody else's string in a message: one line must stay one line."""


class FlawError(ValueError):
    """One thing that is wrong with a card, a signature, a model card or a file of pins.

    Attributes:
        field: the field at fault, safe to print, or an empty string for the whole file.
        reason: what is wrong with it, safe to print.
        remedy: what the reader can do about it.
    """

    def __init__(self, field: str, reason: str, *, remedy: str = "") -> None:
        self.field = quoted(field)
        self.reason = quoted(reason, longest=3 * LONGEST_QUOTE)
        self.remedy = remedy
        super().__init__(f"{self.field}: {self.reason}" if field else self.reason)


def is_plain(text: str) -> bool:
    """Whether a string shows what it holds: no control, bidirectional or surrogate characters."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def quoted(text: str, *, longest: int = LONGEST_QUOTE) -> str:
    """A string of unknown origin, made fit for one line of a terminal."""
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    if is_plain(text):
        return text
    return "".join(c if is_plain(c) else c.encode("unicode_escape").decode() for c in text)
