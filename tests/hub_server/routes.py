"""Which function answers which request."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.hub_server.messages import HubError, Reply, Request

if TYPE_CHECKING:
    from tests.hub_server.store import Store

# what a path is made of; the kind of a repository shows in two ways
PIECES = {
    "{kind}": r"(?P<kind>models|datasets|spaces)",
    "{prefix}": r"(?P<prefix>(?:datasets/|spaces/)?)",
    "{name}": r"(?P<name>[^/]+/[^/]+?)",
    "{revision}": r"(?P<revision>[^/]+)",
    "{path}": r"(?P<path>.+)",
    "{oid}": r"(?P<oid>[0-9a-f]{64})",
    "{number}": r"(?P<number>\d+)",
}

Answer = Callable[..., Reply]
_ROUTES: list[tuple[frozenset[str], re.Pattern[str], Answer]] = []


def route(methods: str, template: str) -> Callable[[Answer], Answer]:
    """Let a function answer requests: it gets the store, the request and the pieces of the path."""
    pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    for piece, expression in PIECES.items():
        pattern = pattern.replace(piece, expression)

    def register(answer: Answer) -> Answer:
        _ROUTES.append((frozenset(methods.split("|")), re.compile(pattern), answer))
        return answer

    return register


def answer(store: "Store", request: Request) -> Reply:
    """What the Hub replies when nothing is wrong with it."""
    for methods, pattern, function in _ROUTES:
        found = pattern.fullmatch(request.path)
        if found and request.method in methods:
            pieces = {name: unquote(piece) for name, piece in found.groupdict().items()}
            try:
                return function(store, request, **pieces)
            except HubError as error:
                return error.reply
    return HubError(404, f"no route for {request.method} {request.path}").reply


def kind_of(prefix: str) -> str:
    """``datasets/`` is how a download names what the API calls ``datasets``; models have no prefix."""
    return prefix.rstrip("/") or "models"


def prefix_of(kind: str) -> str:
    return "" if kind == "models" else f"{kind}/"
