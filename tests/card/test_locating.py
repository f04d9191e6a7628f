import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hf_integration.card import WatermarkCard
from hf_integration.errors import CardError, CardNotFoundError, UsageError


def test_a_card_is_found_by_its_folder_or_by_its_card_json(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = WatermarkCard.load(folder).digest
    assert WatermarkCard.load(str(folder)).digest == digest
    assert WatermarkCard.load(folder / "card.json").location == str(folder)
    monkeypatch.chdir(folder)
    assert WatermarkCard.load("card.json").digest == digest
    assert WatermarkCard.load(".").digest == digest


def test_a_card_is_found_inside_the_folder_of_its_encoder(folder: Path) -> None:
    encoder = folder.parent / "encoder"
    shutil.copytree(folder, encoder / "sslauth")
    assert WatermarkCard.load(encoder).location == str(encoder / "sslauth")


@pytest.mark.parametrize("place", ["", "sslauth"])
def test_a_card_without_its_card_json_is_damaged_and_not_absent(folder: Path, place: str) -> None:
    encoder = folder.parent / "encoder"
    shutil.copytree(folder, encoder / place)
    (encoder / place / "card.json").unlink()
    with pytest.raises(CardError, match=r"card\.json: missing"):
        WatermarkCard.load(encoder)


def test_a_local_folder_has_no_revision(folder: Path) -> None:
    with pytest.raises(UsageError, match="no revision"):
        WatermarkCard.load(folder, revision="main")


class TestOnTheHub:
    @pytest.fixture
    def asked(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What the snapshot of a repository was asked for; it gives the good card, under ``sslauth/``."""
        calls: list[Any] = []
        (folder.parent / "snapshot").mkdir()
        folder.rename(folder.parent / "snapshot" / "sslauth")

        def resolve(reference: str, **options: Any) -> SimpleNamespace:
            calls.append((reference, options))
            return SimpleNamespace(path=folder.parent / "snapshot", commit="c0ffee")

        module = ModuleType("hf_integration.snapshot")
        module.resolve = resolve  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "hf_integration.snapshot", module)
        monkeypatch.chdir(folder.parent)
        return calls

    def test_only_the_files_of_the_card_are_asked_for(self, asked: list[Any]) -> None:
        WatermarkCard.load("org/encoder", revision="v1")
        patterns = ["sslauth/*", "card.json", "card.safetensors", "watermark.png", "card.sig"]
        assert asked == [("org/encoder", {"revision": "v1", "patterns": patterns})]

    @pytest.mark.usefixtures("asked")
    def test_the_location_is_no_local_path(self) -> None:
        assert WatermarkCard.load("org/encoder").location == "hub:org/encoder@c0ffee"

    def test_a_local_folder_of_that_name_comes_first(self, asked: list[Any]) -> None:
        shutil.copytree("snapshot/sslauth", "org/encoder")
        assert WatermarkCard.load("org/encoder").location == "org/encoder"
        assert asked == []

    @pytest.mark.usefixtures("asked")
    def test_a_repository_without_a_card_is_named(self) -> None:
        shutil.rmtree("snapshot/sslauth")
        with pytest.raises(CardNotFoundError, match="no watermark card in org/encoder"):
            WatermarkCard.load("org/encoder")
