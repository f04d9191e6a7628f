"""What ``--sslauth-observe`` suggests is what ``sslauth adopt`` would write, to the letter."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

TEST = """
import transformers
import pytest

@pytest.mark.parametrize("folder", {folders!r})
def test_loads(folder):
    transformers.AutoModel.from_pretrained(folder)
"""


def _own(root: Path) -> None:
    shutil.copytree(root / "cards/tiny", root / "models/own/sslauth")


def _damaged(root: Path) -> None:
    shutil.copytree(root / "cards/tiny", root / "cards/damaged")
    (root / "cards/damaged/card.safetensors").write_bytes(b"")


FOLDERS: dict[str, tuple[Callable[[Path], object] | None, dict[str, str]]] = {
    "models/tiny": (None, {"path": "models/tiny", "card": "cards/tiny", "card_digest": "?"}),
    "models/own": (_own, {"path": "models/own", "card_digest": "?"}),
    "models/bare": (None, {"path": "models/bare", "card": "cards/bare"}),
    "models/damaged": (_damaged, {"path": "models/damaged", "card": "cards/damaged"}),
    "models/linked": (
        lambda root: (root / "cards/linked").symlink_to("tiny"),
        {"path": "models/linked", "card": "cards/linked", "card_digest": "?"},
    ),
    "others/tiny": (None, {"path": "others/tiny", "card": "cards/tiny", "card_digest": "?"}),
}
"""Folder of an encoder -> what makes its card, and the entry that names it."""


def adopted(root: Path, report: str) -> dict[str, Any]:
    """What ``sslauth adopt`` does, by path."""
    command = [sys.executable, "-m", "hf_integration.cli", "adopt", report, "--yes", "--format", "json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    encoders = json.loads(done.stdout)["encoders"]
    return {one["entry"]["path"]: one for one in encoders}


def test_both_suggest_the_same_for_every_folder(project: pytest.Pytester) -> None:
    from hf_integration import WatermarkCard
    from hf_integration.checking.pins.editing import entry_lines

    root = project.path
    for folder, (make_card, _) in FOLDERS.items():
        if folder != "models/tiny":
            shutil.copytree(root / "models/tiny", root / folder)
        if make_card is not None:
            make_card(root)
    project.makepyfile(test_app=TEST.format(folders=list(FOLDERS)))
    result = project.runpytest("--sslauth-observe", "--sslauth-observe-report=loaded.json")
    result.assert_outcomes(passed=len(FOLDERS))
    shown = [line.strip().replace(f"{root}/", "") for line in result.outlines]
    entries = adopted(root, "loaded.json")
    digest = WatermarkCard.load(root / "cards/tiny").digest
    for folder, (_, expected) in FOLDERS.items():
        one = entries[folder]
        assert one["entry"] == {key: digest if value == "?" else value for key, value in expected.items()}
        lines = ["add to sslauth.toml:", *entry_lines(one["name"], one["entry"]), *one["needs"]]
        start = shown.index(f"[encoders.{one['name']}]") - 1
        assert shown[start : start + len(lines)] == lines
    assert sorted(one["name"] for one in entries.values()) == [
        "bare",
        "damaged",
        "linked",
        "own",
        "tiny",
        "tiny-2",
    ]
