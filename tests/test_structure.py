"""Imports point one way: a reader can start at the bottom, and nothing below depends on what is above."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("hf_integration", "pytest_sslauth")


def room_of(module: str) -> str:
    """``hf_integration.card.reading`` -> ``hf_integration.card``."""
    return ".".join(module.split(".")[:2])


def imported(file: Path) -> set[str]:
    """Every module that a file imports, wherever in it: in a function or for the type checker alone, too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            assert node.module
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if node.module in PACKAGES)
    return found


def rooms() -> dict[str, set[str]]:
    """Package -> what its files import."""
    found: dict[str, set[str]] = {}
    for top in PACKAGES:
        for file in (ROOT / top).rglob("*.py"):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            found.setdefault(room_of(name), set()).update(imported(file))
    return found


def test_packages_form_no_cycle() -> None:
    everything = rooms()
    graph = {
        room: {room_of(module) for module in modules if room_of(module) in everything} - {room}
        for room, modules in everything.items()
        if not room.startswith("pytest_sslauth")
    }
    assert len(graph) > 15
    TopologicalSorter(graph).prepare()  # raises CycleError with the cycle


def test_nothing_inside_takes_from_the_front_door() -> None:
    """What a package exports lies above all of it: importing that would be a circle that no room shows."""
    everything = rooms()
    for room, modules in everything.items():
        top = room.split(".")[0]
        named = {module for module in modules if module.startswith(f"{top}.")}
        exported = {module for module in named if room_of(module) not in everything}
        assert room.endswith(".__init__") or not exported, f"{room} imports {sorted(exported)}"


def test_the_integration_does_not_know_the_plugin() -> None:
    for room, modules in rooms().items():
        if room.startswith("hf_integration"):
            assert not {module for module in modules if module.split(".")[0] == "pytest_sslauth"}, room
            assert "pytest" not in {module.split(".")[0] for module in modules}, room


def test_the_watermark_knows_only_torch() -> None:
    import sys

    (modules,) = [modules for room, modules in rooms().items() if room == "hf_integration.watermark"]
    outside = {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names)
    assert outside == {"torch", "hf_integration"}
    assert {room_of(module) for module in modules if module.startswith("hf_integration")} == {
        "hf_integration.watermark"
    }
