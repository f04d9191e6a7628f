"""Cards in repositories, over HTTP with the real client."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration.base.errors import (
    AdvertisedCardMissingError,
    CardError,
    CardNotFoundError,
    EncoderError,
    IntegrityError,
    ModelCardError,
)
from hf_integration.card import WatermarkCard
from hf_integration.card.schema import MOST_BYTES
from hf_integration.model_card.metadata import Metadata
from tests.hub_server import Fault, HubServer, faults
from tests.hub_server.fixtures import hub, hub_here

__all__ = ["hub", "hub_here"]


def files_of(folder: Path, below: str = "") -> dict[str, bytes]:
    return {below + path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def published(hub_here: HubServer, folder: Path) -> str:
    """The commit of a repository that holds an encoder and its card."""
    other: Mapping[str, bytes] = {"model.safetensors": b"weights", "config.json": b"{}"}
    return hub_here.create("org/encoder", {**other, **files_of(folder, "sslauth/")})


def test_a_card_is_fetched_without_its_encoder(hub_here: HubServer, published: str, folder: Path) -> None:
    card = WatermarkCard.load("org/encoder")
    assert card.digest == WatermarkCard.load(folder).digest
    assert not any("model.safetensors" in request.path for request in hub_here.requests)
    # no local path can be taken for it: whether a card is local decides its trust
    assert card.location == f"hub:org/encoder@{published}/sslauth"


def test_a_repository_of_its_own_holds_a_card_at_its_root(hub_here: HubServer, folder: Path) -> None:
    commit = hub_here.create("org/cards", files_of(folder))
    card = WatermarkCard.load("org/cards")
    assert card.digest == WatermarkCard.load(folder).digest
    assert card.location == f"hub:org/cards@{commit}"


@pytest.fixture
def other(folder: Path, tmp_path: Path) -> Path:
    """A card that says something else, and is as good."""
    replace(WatermarkCard.load(folder), expires="2126-01-31").save(tmp_path / "other")
    return tmp_path / "other"


def advertising(card: Path, at: str) -> bytes:
    claims = Metadata(
        card=at,
        digest=WatermarkCard.load(card).digest,
        encoder_commit="0" * 40,
        created="2026-01-01T00:00:00Z",
        embedding_dim=8,
    )
    return "\n".join(["---", *claims.lines(), "---", ""]).encode()


class TestTwoCardsInOneRepository:
    """Every reader takes the same one: see ``card/own_card.py``."""

    def test_the_advertised_one_counts(self, hub_here: HubServer, folder: Path, other: Path) -> None:
        decoys = files_of(other) | files_of(other, "sslauth/")
        files = decoys | files_of(folder, "cards/v2/") | {"README.md": advertising(folder, "cards/v2")}
        commit = hub_here.create("org/encoder", files)
        card = WatermarkCard.load("org/encoder")
        assert card.digest == WatermarkCard.load(folder).digest
        assert card.location == f"hub:org/encoder@{commit}/cards/v2"
        assert not Path(card.location).exists()

    def test_else_the_one_in_sslauth(self, hub_here: HubServer, folder: Path, other: Path) -> None:
        hub_here.create("org/encoder", files_of(other) | files_of(folder, "sslauth/"))
        assert WatermarkCard.load("org/encoder").digest == WatermarkCard.load(folder).digest

    def test_one_that_is_advertised_and_missing_is_not_replaced_by_another(
        self, hub_here: HubServer, folder: Path
    ) -> None:
        readme = {"README.md": advertising(folder, "cards/v2")}
        hub_here.create("org/encoder", files_of(folder, "sslauth/") | files_of(folder) | readme)
        with pytest.raises(AdvertisedCardMissingError, match="advertises a watermark card in cards/v2/"):
            WatermarkCard.load("org/encoder")

    def test_nor_by_what_nobody_can_read(self, hub_here: HubServer, folder: Path) -> None:
        hub_here.create("org/encoder", files_of(folder) | {"README.md": b"---\nsslauth: 7\n---\n"})
        with pytest.raises(ModelCardError, match=r"cannot be read: README\.md: sslauth: not a mapping"):
            WatermarkCard.load("org/encoder")

    def test_a_half_card_in_sslauth_is_not_replaced_by_the_one_at_the_root(
        self, hub_here: HubServer, folder: Path, other: Path
    ) -> None:
        half = {name: data for name, data in files_of(folder, "sslauth/").items() if "card.json" not in name}
        hub_here.create("org/encoder", files_of(other) | half)
        with pytest.raises(CardError, match=r"sslauth/card\.json: missing"):
            WatermarkCard.load("org/encoder")


def test_a_revision_is_obeyed(hub_here: HubServer, published: str) -> None:
    names = [name for name in hub_here.files("org/encoder") if name.startswith("sslauth/")]
    hub_here.commit("org/encoder", {}, delete=names)
    assert WatermarkCard.load("org/encoder", revision=published).digest
    with pytest.raises(CardNotFoundError, match="no watermark card: org/encoder at "):
        WatermarkCard.load("org/encoder")


@pytest.mark.usefixtures("published")
def test_a_local_folder_of_that_name_comes_first(
    hub_here: HubServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "org" / "encoder")
    monkeypatch.chdir(tmp_path)
    hub_here.requests.clear()
    assert WatermarkCard.load("org/encoder").location == "org/encoder"
    assert hub_here.requests == []


@pytest.mark.usefixtures("published")
def test_a_card_that_was_tampered_with_on_its_way_is_refused(hub_here: HubServer) -> None:
    hub_here.faults.append(Fault(faults.tampered(), path="card.json", method="GET", server="hub"))
    with pytest.raises(IntegrityError, match=r"sslauth/card\.json is not the commit's"):
        WatermarkCard.load("org/encoder")


def test_a_card_without_its_tensors_is_damaged(hub_here: HubServer, folder: Path) -> None:
    files = files_of(folder, "sslauth/")
    hub_here.create("org/encoder", {name: data for name, data in files.items() if "tensors" not in name})
    with pytest.raises(CardError, match=r"card\.safetensors"):
        WatermarkCard.load("org/encoder")


def test_a_card_beyond_all_bounds_is_not_fetched(hub_here: HubServer, published: str) -> None:
    def swollen(entries: list[dict[str, object]]) -> list[dict[str, object]]:
        for entry in entries:
            if entry["path"] == "sslauth/card.json":
                entry["size"] = max(MOST_BYTES.values()) + 1
        return entries

    hub_here.faults.append(Fault(faults.edited(swollen), path=f"/tree/{published}"))
    with pytest.raises(IntegrityError, match="a card's has at most"):
        WatermarkCard.load("org/encoder")
    assert not any("/resolve/" in request.path for request in hub_here.requests)


@pytest.mark.usefixtures("hub_here")
def test_a_repository_that_does_not_exist_is_named() -> None:
    with pytest.raises(EncoderError, match="no Hub repo and no local folder is called 'org/none'"):
        WatermarkCard.load("org/none")
