import shutil
from pathlib import Path

import pytest

from hf_integration.base.errors import CardError, UsageError
from hf_integration.card import WatermarkCard


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
