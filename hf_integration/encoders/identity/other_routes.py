"""Which files of a folder belong to the routes of a Router that are not run.

No behaviour is recorded of them, so nothing can excuse a change there. What is run is listed, and all else
below a Router counts as another route: what cannot be told is compared strictly.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from hf_integration.encoders.identity.behaviour import Behaviour
from hf_integration.encoders.identity.folder_record import AT_ROOT, FolderRecord, flattened
from hf_integration.encoders.modalities.routes import ROUTER_FILE
from hf_integration.snapshot import CHAT_TEMPLATES

Belongs = Callable[[str], bool]


def of_other_routes(*sides: tuple[FolderRecord, Behaviour]) -> Belongs:
    """Tell files of the routes that are not run from the others, by their names in the record.

    Args:
        sides: what the files of a folder say, and what of it is run, which names the route.

    Returns:
        Whether a file belongs, on any side, to another route or to the Router itself in a folder of its own.
    """
    found = [_of_other_routes(*side) for side in sides]
    return lambda file: any(belongs(file) for belongs in found)


def _of_other_routes(folder: FolderRecord, behaviour: Behaviour) -> Belongs:
    route = behaviour.get(ROUTER_FILE).get("route")
    if route is None:
        return lambda _: False
    modules = folder.files.get("modules.json", {})
    run = {_normal(value) for key, value in modules.items() if key.endswith(".path") and key != "0.path"}
    router = _normal(modules.get("0.path", ""))
    (chosen,) = flattened({"structure": {route: []}})
    parts = _router_file(folder, router).get(chosen)
    # a list that is long is recorded by its digest: then nothing of it is known to be run
    run |= {_normal(f"{router}/{part}") for part in (parts if isinstance(parts, list) else ())}

    def belongs(file: str) -> bool:
        if file.startswith(AT_ROOT):
            return False
        inner = file.rpartition("/")[0].removesuffix(CHAT_TEMPLATES).rstrip("/")
        return bool(inner) and inner not in run

    return belongs


def _router_file(folder: FolderRecord, router: str) -> Mapping[str, Any]:
    """The settings of the Router, by the names that its versions give their file."""
    start = (f"{router}/",) if router else ("", AT_ROOT)
    names = (f"{before}{name}" for name in (ROUTER_FILE, "config.json") for before in start)
    return next((folder.files[name] for name in names if name in folder.files), {})


def _normal(path: object) -> str:
    inner = PurePosixPath(str(path).lstrip("/")).as_posix()
    return "" if inner == "." else inner
