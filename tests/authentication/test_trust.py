"""Whoever fills a folder decides what is found through it: such a card is self-asserted, links or not."""

import os
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from hf_integration.authentication.trust import MOST_LINKS, _way, trust_beside, trust_in
from hf_integration.card import WatermarkCard
from tests.authentication.plain_encoder import PlainEncoder
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
    (tmp_path / "encoder/deep").symlink_to("../attacker/card")
    (tmp_path / "cards/evil").symlink_to("../encoder/deep")
    (tmp_path / "cards/back").symlink_to("evil/../card")


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
        ("cards/evil/../card", "encoder"),  # behind a link, '..' is the parent of what it leads to
        ("cards/back", "encoder"),
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


def _chain(links: int, target: str) -> str:
    """A path that leads to the target over so many links, one after the other."""
    for number in range(links):
        Path(f"link {number}").symlink_to(target)
        target = f"link {number}"
    return target


def test_as_many_links_are_followed_as_systems_follow(card: WatermarkCard) -> None:
    assert MOST_LINKS == 40  # Linux refuses the 41st
    longest = _chain(38, "encoder/linked")  # with the link in the encoder's folder 39, and 40 places
    assert Path(longest).exists()
    assert trust_beside(replace(card, location=longest), Path("encoder")) == "self-asserted"


def test_the_way_ends_where_the_system_ends_and_misses_no_link() -> None:
    random = Random(5)  # noqa: S311
    folders = [Path(name) for name in ("a", "a/b", "a/b/c", "d", "d/e")]
    names = ("one", "two", "three")
    for folder in folders:
        folder.mkdir()
    for folder in folders:
        for name in names:
            target = os.path.relpath(random.choice(folders), folder)
            (folder / name).symlink_to(
                random.choice((target, f"{target}/..", f"{target}/{random.choice(names)}"))
            )
    followed = 0
    for _ in range(2000):
        path = Path(random.choice(folders), *(random.choice(("..", *names)) for _ in range(4)))
        if path.exists():
            *links, end = _way(path)
            assert end == path.resolve()
            assert all(link.is_symlink() and link.parent == link.parent.resolve() for link in links)
            prefixes = [Path(*path.parts[: count + 1]) for count in range(len(path.parts))]
            direct = [prefix.parent.resolve() / prefix.name for prefix in prefixes if prefix.is_symlink()]
            assert set(direct) <= set(links)
            followed += len(links)
    assert followed > 1000


def test_links_in_a_circle_end(card: WatermarkCard) -> None:
    Path("one").symlink_to("two")
    Path("two").symlink_to("one")
    assert trust_beside(replace(card, location="one"), Path("encoder")) == "self-asserted"  # no such place


class TestTheFolderOfAnEncoder:
    """A card in ``encoder/sslauth`` is self-asserted where the encoder is known to come from there."""

    @pytest.fixture
    def inside(self, card: WatermarkCard) -> WatermarkCard:
        return replace(card, location="encoder/sslauth")

    def test_is_where_it_was_loaded_from(self, inside: WatermarkCard) -> None:
        encoder = PlainEncoder()
        encoder.path = Path("encoder")
        assert trust_in(inside, encoder) == "self-asserted"
        encoder.path = Path("cards")
        assert trust_in(inside, encoder) == "local"

    @pytest.mark.parametrize(
        ("remembered", "trust"),
        [
            ("encoder", "self-asserted"),
            ("cards", "local"),
            ("org/encoder", "local"),  # of the Hub: the card is none of its files
            ("", "local"),
            (None, "local"),
            (7, "local"),
        ],
    )
    def test_is_what_a_module_in_memory_remembers(
        self, inside: WatermarkCard, remembered: object, trust: str
    ) -> None:
        encoder = PlainEncoder()
        encoder.model = SimpleNamespace(config=SimpleNamespace(_name_or_path=remembered))
        assert trust_in(inside, encoder) == trust

    def test_is_none_for_one_that_remembers_nothing(self, inside: WatermarkCard) -> None:
        encoder = PlainEncoder()
        assert trust_in(inside, encoder) == "local"
        encoder.model = SimpleNamespace()
        assert trust_in(inside, encoder) == "local"
        encoder.model = SimpleNamespace(config=None)
        assert trust_in(inside, encoder) == "local"

    def test_that_it_was_loaded_from_counts_before_what_it_remembers(self, inside: WatermarkCard) -> None:
        encoder = PlainEncoder()
        encoder.path = Path("cards")
        encoder.model = SimpleNamespace(config=SimpleNamespace(_name_or_path="encoder"))
        assert trust_in(inside, encoder) == "local"
