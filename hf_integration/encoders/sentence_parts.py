"""The modules that a text without a task goes through in an object of sentence-transformers."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.encoders.identity.provenance import is_of_library
from hf_integration.encoders.modalities.routes import ROUTER_FILE, Route, read_route


@dataclass(frozen=True)
class Parts:
    """What an object runs.

    Attributes:
        modules: one after the other.
        route: the route that they begin with, if the object holds several.
    """

    modules: Sequence[Any]
    route: Route | None = None


def parts_of(sentence: Any) -> Parts:
    """The modules of an object; of a Router's those of the route that is the default.

    Args:
        sentence: a ``SentenceTransformer``, ``SparseEncoder`` or ``CrossEncoder``.

    Raises:
        EncoderError: a Router without a default route.
    """
    modules = list(sentence.children())
    first: Any = modules[0] if modules else None
    if type(first).__name__ != "Router" or not is_of_library(type(first), "sentence_transformers"):
        return Parts(modules)
    routes: dict[str, list[Any]] = {name: list(parts) for name, parts in first.sub_modules.items()}
    config = {
        "types": {
            f"{name}_{place}": f"{type(part).__module__}.{type(part).__qualname__}"
            for name, parts in routes.items()
            for place, part in enumerate(parts)
        },
        "structure": {
            name: [f"{name}_{place}" for place in range(len(parts))] for name, parts in routes.items()
        },
        "parameters": {
            "default_route": first.default_route,
            "allow_empty_key": first.allow_empty_key,
            "route_mappings": {str(key): route for key, route in first.route_mappings.items()},
        },
    }
    with tempfile.TemporaryDirectory(prefix="sslauth-object-") as place:
        (Path(place) / ROUTER_FILE).write_text(json.dumps(config))
        route = read_route(Path(place))
    return Parts([*routes[route.name], *modules[1:]], route)


def first_of(sentence: Any) -> Any:
    """The module that holds the model, or ``None``."""
    return next(iter(parts_of(sentence).modules), None)
