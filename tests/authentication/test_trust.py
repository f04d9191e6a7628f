"""Whoever fills a folder decides what is found through it: such a card is self-asserted, links or not."""

from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration.authentication.trust import trust_beside
from hf_integration.card import WatermarkCard
from tests.card.synthetic_cards import make_card


@pytest.fixture(scope="module")
def card() -> WatermarkCard:
    return make_card()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder's folder with a card in it, a card elsewhere, and links between them."""
    monkeypatch.chdir(tmp_path)
    for folder in ("encoder/sslauth", "cards/encoder", "attacker/card"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "encoder/linked").symlink_to("../attacker/card")
    (tmp_path / "encoder/out").symlink_to(tmp_path / "attacker", target_is_directory=True)
    (tmp_path / "alias").symlink_to("encoder")
    (tmp_path / "cards/into").symlink_to("../encoder/sslauth")
    (tmp_path / "cards/through").symlink_to("../encoder/linked")


@pytest.mark.parametrize(
    ("location", "folder"),
    [
        ("encoder/sslauth", "encoder"),
        ("encoder/linked", "encoder"),
        ("encoder/out/card", "encoder"),
        ("alias/sslauth", "encoder"),
        ("encoder/sslauth", "alias"),
        ("alias/linked", "alias"),
        ("alias/linked", "encoder"),
        ("cards/into", "encoder"),
        ("cards/../encoder/linked", "encoder"),
        ("cards/through", "encoder"),
        ("hub:org/encoder@c0ffee", "encoder"),
    ],
)
def test_a_card_that_the_checked_folder_leads_to_is_self_asserted(
    card: WatermarkCard, location: str, folder: str
) -> None:
    assert trust_beside(replace(card, location=location), Path(folder)) == "self-asserted"


@pytest.mark.parametrize(
    ("location", "folder"),
    [
        ("cards/encoder", "encoder"),
        ("encoder/../cards/encoder", "encoder"),
        ("attacker/card", "encoder"),
        ("encoder/sslauth", None),
        ("", "encoder"),
    ],
)
def test_a_folder_that_the_caller_names_elsewhere_is_local(
    card: WatermarkCard, location: str, folder: str | None
) -> None:
    assert trust_beside(replace(card, location=location), None if folder is None else Path(folder)) == "local"
