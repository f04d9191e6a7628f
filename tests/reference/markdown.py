"""Pieces of Markdown, and what docstrings say as Markdown."""

import re
from collections.abc import Iterable, Sequence

_ITEM = re.compile(r"^    (\w+): (.*)")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """A piece of code within a sentence, or nothing."""
    return f"`{text}`" if text else ""


def plain(text: str) -> str:
    """Text of a docstring as Markdown, in one line."""
    text = re.sub(r":\w+:`~?\.?([\w.]+)`", r"`\1`", text)
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def summary(thing: object) -> str:
    """The first sentence or paragraph of a docstring."""
    return plain((thing.__doc__ or "").partition("\n\n")[0])


def paragraphs(thing: object) -> str:
    """A docstring up to its first section of arguments, attributes or the like."""
    text = re.split(r"\n\s*(?:Args|Attributes|Returns|Raises):\n", thing.__doc__ or "")[0]
    return "\n\n".join(plain(part) for part in text.strip().split("\n\n"))


def items(thing: object, section: str) -> dict[str, str]:
    """The entries of one section of a docstring: name -> what it says."""
    found: dict[str, str] = {}
    name = ""
    _, _, below = _dedented(thing.__doc__ or "").partition(f"\n{section}:\n")
    for line in below.split("\n"):
        if match := _ITEM.match(line):
            name = match[1]
            found[name] = match[2]
        elif line.startswith("     ") and name:
            found[name] += " " + line.strip()
        elif line.strip():
            break
    return {name: plain(text) for name, text in found.items()}


def _dedented(doc: str) -> str:
    first, _, rest = doc.partition("\n")
    indents = [len(line) - len(line.lstrip()) for line in rest.split("\n") if line.strip()]
    cut = min(indents, default=0)
    return "\n".join([first, *(line[cut:] for line in rest.split("\n"))])
