"""Rooms and arrows, read from the imports: ``python -m tests.architecture`` renews ``ARCHITECTURE.md``.

A *room* is the second part of a dotted name: ``hf_integration.card`` is the room of
``hf_integration.card.reading``. The plugin is one room. An *arrow* says that a file of one room imports from
another; imports in functions and imports for the type checker alone count like all others.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = "ARCHITECTURE.md"
COMMAND = "python -m tests.architecture"
BEGIN = f"<!-- rooms: written by `{COMMAND}`, do not edit -->"
END = "<!-- end of rooms -->"

PLUGIN = "pytest_sslauth"
PACKAGES = ("hf_integration", PLUGIN)
FEW_LINES = 40

Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Code:
    """The two packages as their files are.

    Attributes:
        root: folder that holds them.
    """

    root: Path = ROOT

    @cached_property
    def files(self) -> dict[str, Path]:
        """File by the dotted name of its module, ``__init__`` included."""
        found = (file for top in PACKAGES for file in sorted((self.root / top).rglob("*.py")))
        return {".".join(file.relative_to(self.root).with_suffix("").parts): file for file in found}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Every name that a file imports, by its module: those of the two packages and those of others."""
        return {module: imported(file) for module, file in self.files.items()}

    @cached_property
    def file_graph(self) -> dict[str, set[str]]:
        """Module -> modules of the two packages that it imports."""
        return {
            module: {target for name in names if (target := self.module_of(name))} - {module}
            for module, names in self.imports.items()
        }

    @cached_property
    def rooms(self) -> dict[str, set[str]]:
        """Room -> rooms that it imports from. What a package exports is a door, and no room."""
        found: dict[str, set[str]] = {}
        for module, targets in self.file_graph.items():
            if module != "hf_integration.__init__":
                found.setdefault(room_of(module), set()).update(room_of(target) for target in targets)
        return {room: (targets & found.keys()) - {room} for room, targets in found.items()}

    def lines(self, module: str) -> int:
        """Lines of a file."""
        return len(self.files[module].read_text("utf-8").splitlines())

    def purpose(self, room: str) -> str:
        """The first sentence of a room's docstring."""
        file = self.files.get(f"{room}.__init__") or self.files[room]
        text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")

    def module_of(self, name: str) -> str | None:
        """The module that an imported name belongs to: itself, a package, or what a module holds."""
        parent = name.rpartition(".")[0]
        candidates = (name, f"{name}.__init__", parent, f"{parent}.__init__")
        return next((module for module in candidates if module in self.files), None)


def room_of(module: str) -> str:
    """``hf_integration.card.reading`` -> ``hf_integration.card``; a module of the plugin -> the plugin."""
    parts = module.split(".")
    return PLUGIN if parts[0] == PLUGIN else ".".join(parts[:2])


def imported(file: Path) -> set[str]:
    """Every name that a file imports, wherever in it: in a function or for the type checker alone, too.

    ``from a.b import c`` gives ``a.b.c``, whether that is a module or something in one.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            assert node.module
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def circle_in(graph: Graph) -> tuple[str, ...]:
    """One circle, its first member repeated at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib names predecessors; the other way round each imports the next
        return tuple(reversed(error.args[1]))
    return ()


def circles(graph: Graph) -> list[set[str]]:
    """The largest groups in which everybody reaches everybody, of two members and more."""
    reach = {node: _reached(graph, node) for node in graph}
    groups = {frozenset(other for other in reach[node] if node in reach[other]) for node in graph}
    return sorted((set(group) for group in groups if len(group) > 1), key=sorted)


def floors(rooms: Graph) -> dict[str, int]:
    """The floor of every room, from 1: one above the highest that it imports from.

    Raises:
        CycleError: rooms import each other in a circle, so none of them is above the others.
    """
    found: dict[str, int] = {}
    for room in TopologicalSorter(rooms).static_order():
        found[room] = 1 + max((found[other] for other in rooms[room]), default=0)
    return found


def reduced(rooms: Graph) -> dict[str, set[str]]:
    """The arrows without those that others already imply (transitive reduction)."""
    reach = {room: _reached(rooms, room) for room in rooms}
    return {
        room: {to for to in targets if not any(to in reach[other] for other in targets - {to})}
        for room, targets in rooms.items()
    }


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        if (node := waiting.pop()) not in found:
            found.add(node)
            waiting.extend(graph.get(node, ()))
    return found


def drawing(code: Code) -> str:
    """The picture as Markdown: a Mermaid diagram of the arrows that no others imply, and a table of all."""
    level = floors(code.rooms)
    lines = ["```mermaid", "flowchart TD"]
    for room, targets in sorted(reduced(code.rooms).items(), key=lambda item: (-level[item[0]], item[0])):
        lines += [f"    {_short(room)} --> {_short(to)}" for to in sorted(targets)]
    lines += ["```", "", *_table(code, level)]
    return "\n".join(lines)


def _table(code: Code, level: Mapping[str, int]) -> Iterator[str]:
    yield "| floor | room | what it holds | imports from |"
    yield "|---|---|---|---|"
    for room in sorted(level, key=lambda r: (-level[r], r)):
        targets = ", ".join(sorted(map(_short, code.rooms[room]))) or "nothing of ours"
        yield f"| {level[room]} | `{_short(room)}` | {code.purpose(room).replace('``', '`')} | {targets} |"


def _short(room: str) -> str:
    return room.removeprefix("hf_integration.")


def counts(code: Code) -> dict[str, str]:
    """What a person who moves things wants to see fall, by what it is."""
    importers: defaultdict[str, set[str]] = defaultdict(set)
    for module, targets in code.file_graph.items():
        for target in targets:
            importers[target].add(module)
    paragraphs = [
        module
        for module in code.files
        if not module.endswith("__init__") and len(importers[module]) == 1 and code.lines(module) < FEW_LINES
    ]
    names = Counter(file.name for file in code.files.values())
    twice = sorted(name for name, count in names.items() if count > 1 and not name.startswith("__"))
    of_rooms, of_files = circles(code.rooms), circles(code.file_graph)
    return {
        "rooms": str(len(code.rooms)),
        "floors": "none: circles" if of_rooms else str(max(floors(code.rooms).values())),
        "arrows between rooms": str(sum(map(len, code.rooms.values()))),
        "circles of rooms": _listed([" <-> ".join(sorted(circle)) for circle in of_rooms]),
        "circles of files": _listed([" <-> ".join(sorted(circle)) for circle in of_files]),
        "files": str(len(code.files)),
        "lines": str(sum(map(code.lines, code.files))),
        f"files under {FEW_LINES} lines with one importer": _listed(paragraphs),
        "file names used more than once": _listed([f"{name} ({names[name]})" for name in twice]),
    }


def _listed(found: list[str]) -> str:
    return f"{len(found)}{': ' if found else ''}{', '.join(found)}"


def renewed(document: str, picture: str) -> str:
    """A document with another picture between the markers.

    Raises:
        ValueError: a marker is missing, or there are several.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"{DOCUMENT} needs '{BEGIN}' and '{END}', once each")
    return f"{before}{BEGIN}\n\n{picture}\n\n{END}{after}"


def main() -> int:
    """Print the counts and renew the picture."""
    code = Code()
    for what, count in counts(code).items():
        print(f"{what}: {count}")
    if circles(code.rooms):
        print(f"{DOCUMENT} is left as it is: rooms in a circle have no floors", file=sys.stderr)
        return 1
    file = code.root / DOCUMENT
    text = file.read_text("utf-8")
    if (new := renewed(text, drawing(code))) != text:
        file.write_text(new, "utf-8")
        print(f"{DOCUMENT}: renewed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
