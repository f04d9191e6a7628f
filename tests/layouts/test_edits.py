"""No file, key or tensor of a folder can be changed and pass without a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from tests.layouts.building import LAYOUTS, Layout
from tests.layouts.edits import edits_of
from tests.layouts.trying import HEAD, try_all

WHOLE = ("MiniLM",)
"""Layouts of which every edit is tried here; of the others one of thirteen. ``tox run -e edits``: all."""


@pytest.mark.parametrize("name", [layout.name for layout in LAYOUTS])
def test_no_edit_passes_without_a_word(
    name: str,
    minted: Callable[[str], tuple[Layout, Path, WatermarkCard]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    layout, folder, card = minted(name)
    tried = try_all(layout, folder, card, every=1 if name in WHOLE else 13)
    with capsys.disabled():
        print(f"\n{HEAD}\n{tried.line()}")
    assert tried.ends["altered"] > 5
    assert tried.ends["named"] > 0
    assert not tried.silent


def test_every_kind_of_file_is_edited(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        layout.write(tmp_path / layout.name)
        files = {
            p.relative_to(tmp_path / layout.name).as_posix() for p in (tmp_path / layout.name).rglob("*.*")
        }
        edited = {name for edit in edits_of(tmp_path / layout.name) for name in edit.files}
        assert files <= edited
