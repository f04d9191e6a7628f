"""The texts in the code from which messages are made, with a mark where a value is put in."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.reference.pages import ROOT
from tests.reference.sources import PACKAGES

HOLE = "…"


@cache
def texts() -> frozenset[str]:
    """Every text in the code of the package, white space as single spaces."""
    return frozenset(
        re.sub(r"\s+", " ", text)
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for text in _texts(ast.parse(file.read_text("utf-8")))
    )


def says(message: str) -> bool:
    """Whether one text in the code gives this message; holes stand for anything."""
    pattern = re.compile(".*".join(map(re.escape, message.split(HOLE))))
    return any(pattern.search(text) for text in texts())


def _texts(node: ast.AST) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.JoinedStr):
            parts = (value.value if isinstance(value, ast.Constant) else HOLE for value in child.values)
            yield "".join(map(str, parts))
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield re.sub(r"\{\w*\}", HOLE, child.value)  # a template
