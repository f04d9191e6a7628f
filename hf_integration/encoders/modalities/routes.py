"""Routers of sentence-transformers: several encoders in one folder, chosen by task or by kind of sample."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_integration.base.errors import EncoderError
from hf_integration.base.text import quoted
from hf_integration.encoders.files.json_values import read_json, relative_folder
from hf_integration.encoders.modalities.module_settings import only
from hf_integration.encoders.modalities.module_types import kind_of

ROUTER_FILE = "router_config.json"

_KEYS = {"default_route", "allow_empty_key", "route_mappings"}


@dataclass(frozen=True)
class Route:
    """The route that texts take whose task nobody names.

    Attributes:
        name: what it is called.
        modules: kind of each of its modules, and its folder.
        others: names of the other routes.
        beside: the same of the modules that are in other routes alone.
    """

    name: str
    modules: Sequence[tuple[str, Path]]
    others: tuple[str, ...]
    beside: tuple[tuple[str, Path], ...] = ()


def read_route(folder: Path) -> Route:
    """Find the route of a text without a task, in the order in which the library looks for it.

    Raises:
        EncoderError: damaged settings, a module of any route that is not supported, or no such route: then
            only its caller knows which encoder is meant.
    """
    # versions before 5 call the file as those of all modules
    path = folder / ROUTER_FILE
    if not path.is_file() and (folder / "config.json").is_file():
        path = folder / "config.json"
    config = read_json(path, dict)
    only(path, config, {"types", "structure", "parameters"})
    types, structure = _object(path, config, "types"), _object(path, config, "structure")
    parameters = _object(path, config, "parameters")
    only(path, parameters, _KEYS)
    if not structure:
        raise EncoderError(f"{path}: no routes")
    name = _chosen(path, structure, parameters)
    if name is None:
        raise EncoderError(
            f"{path}: no route is the default, of {', '.join(map(quoted, structure))}",
            remedy="set default_route to the one that is meant, or check the folder of each route by itself",
        )
    ids = structure.get(name)
    if not isinstance(ids, list) or not ids or not all(isinstance(i, str) and i in types for i in ids):
        raise EncoderError(f"{path}: route {name!r} is no list of modules")
    # of all routes: other loaders run those that are not run here
    kinds = {part: kind_of(path, kind, run=part in ids) for part, kind in types.items()}
    for part, kind in kinds.items():
        if kind == "Router":
            raise EncoderError(
                f"{path}: {part}: a Router within a route: the routes within it are not read",
                remedy="put each of its routes into the outer Router, or check its folder by itself",
            )
    folders = {part: relative_folder(folder, part, path.name) for part in types}
    return Route(
        name,
        [(kinds[part], folders[part]) for part in ids],
        tuple(str(other) for other in structure if other != name),
        tuple((kinds[part], inner) for part, inner in folders.items() if part not in ids),
    )


def _object(path: Path, config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    if not isinstance(value, Mapping):
        raise EncoderError(f"{path}: {key} is no object")
    return value


def _chosen(path: Path, structure: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    mappings: dict[Any, Any] = {}
    stated = parameters.get("route_mappings") or {}
    if not isinstance(stated, Mapping):
        raise EncoderError(f"{path}: route_mappings is no object")
    for key, route in stated.items():
        try:
            task, modality = ast.literal_eval(key)
            mappings[task, modality] = route
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            raise EncoderError(f"{path}: route_mappings: {key!r} is no pair of task and modality") from error
    found = next((mappings[key] for key in ((None, "text"), (None, None)) if key in mappings), None)
    if found is None:
        found = "text" if "text" in structure else parameters.get("default_route")
    if found is None and parameters.get("allow_empty_key", True):
        found = next(iter(structure))
    if found is not None and (not isinstance(found, str) or found not in structure):
        raise EncoderError(f"{path}: there is no route {found!r}")
    return found
