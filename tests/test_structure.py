"""Imports point one way: a reader can start at the bottom, and nothing below depends on what is above."""

import sys
from itertools import pairwise

import pytest

from tests.architecture import (
    BEGIN,
    COMMAND,
    DOCUMENT,
    END,
    ROOT,
    Code,
    circle_in,
    circles,
    drawing,
    floors,
    reduced,
    renewed,
    room_of,
)

CODE = Code()


def imports_of(room: str) -> set[str]:
    """Every name that the files of a room import."""
    return {name for module, names in CODE.imports.items() if room_of(module) == room for name in names}


def test_rooms_form_no_circle() -> None:
    assert len(CODE.rooms) > 15
    assert circle_in(CODE.rooms) == ()


def test_nothing_inside_takes_from_the_front_door() -> None:
    """What a package exports is above all of it: importing that would be a circle that no room shows."""
    for module, names in CODE.imports.items():
        top = module.split(".")[0]
        exported = {name for name in names - {top} if CODE.module_of(name) == f"{top}.__init__"}
        assert not exported, f"{module} imports {sorted(exported)}"


def test_the_integration_does_not_know_the_plugin() -> None:
    for module, names in CODE.imports.items():
        if module.startswith("hf_integration"):
            assert not {name.split(".")[0] for name in names} & {"pytest_sslauth", "pytest"}, module


def test_the_watermark_knows_only_torch() -> None:
    names = imports_of("hf_integration.watermark")
    assert {name.split(".")[0] for name in names} - sys.stdlib_module_names == {"torch", "hf_integration"}
    assert CODE.rooms["hf_integration.watermark"] == set()


def test_the_picture_of_the_rooms_is_current() -> None:
    text = (ROOT / DOCUMENT).read_text("utf-8")
    assert renewed(text, drawing(CODE)) == text, f"{DOCUMENT} shows other rooms or arrows: run `{COMMAND}`"


CHAIN = {"top": {"middle", "ground"}, "middle": {"ground"}, "ground": set()}
CIRCLE = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}


def test_a_room_is_one_floor_above_the_highest_that_it_imports_from() -> None:
    assert floors(CHAIN) == {"ground": 1, "middle": 2, "top": 3}


def test_the_diagram_leaves_out_arrows_that_others_imply() -> None:
    assert reduced(CHAIN) == {"top": {"middle"}, "middle": {"ground"}, "ground": set()}


def test_a_circle_is_found_and_named_in_the_direction_of_the_imports() -> None:
    assert circles(CHAIN) == []
    assert circles(CIRCLE) == [{"a", "b", "c"}]
    circle = circle_in(CIRCLE)
    assert circle[0] == circle[-1]
    assert all(to in CIRCLE[importer] for importer, to in pairwise(circle))


def test_only_what_is_between_the_markers_is_renewed() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert renewed(text, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_document_without_one_place_for_the_picture_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        renewed(text, "new")


def test_files_form_no_circle() -> None:
    """Imports in functions and for the type checker count: whoever reads one file need not read the other."""
    assert len(CODE.file_graph) > 100
    assert circle_in(CODE.file_graph) == ()
