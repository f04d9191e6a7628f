"""What a model card claims about the repository's own card holds for every command that takes that card."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from hf_integration.model_card.metadata import Metadata, Revocation
from tests.cli.conftest import Ended
from tests.hub.conftest import another_card, card, shelf
from tests.hub.repositories import REPO, Shelf, files_of
from tests.hub_server import HubServer
from tests.hub_server.fixtures import hub, hub_here

__all__ = ["another_card", "card", "hub", "hub_here", "shelf"]

pytestmark = pytest.mark.usefixtures("folder")

Run = Callable[..., Ended]

CHECKS = [
    ("add", REPO, "--name", "added"),
    ("bundle", REPO, "--out", "bundle", "--trust-self-asserted"),
    ("bundle", REPO, "--card", "Org/Tiny", "--out", "bundle", "--trust-self-asserted"),
    ("verify", REPO, "--trust-self-asserted"),
    ("verify", REPO, "--card", REPO, "--trust-self-asserted"),
    ("verify", REPO, "--card", "ORG/tiny", "--trust-self-asserted"),
]
UNLOCKED = f'version = 1\n\n[encoders.named]\nrepo = "{REPO}"\n'


@pytest.fixture
def claims(hub_here: HubServer, shelf: Shelf) -> Metadata:
    """What the model card of ``org/tiny`` would say if it were right; nothing is advertised yet."""
    commit = hub_here.create(REPO, {**files_of(shelf.encoder), **files_of(shelf.card, "sslauth/")})
    own = WatermarkCard.load(shelf.card)
    return Metadata("sslauth", own.digest, commit, own.created, own.encoder.embedding_dim)


def advertise(hub: HubServer, claims: Metadata) -> None:
    hub.commit(REPO, {"README.md": "\n".join(["---", *claims.lines(), "---", ""]).encode()})


def refused_everywhere(sslauth: Run, status: int, why: str, *, lock: int = 4) -> None:
    for command in CHECKS:
        ended = sslauth(*command)
        assert (ended.status, why in ended.out + ended.err) == (status, True), (command, ended)
        assert not Path("bundle").exists()
        assert not Path("sslauth.toml").exists()
        assert not Path("cards").exists()
    Path("sslauth.toml").write_text(UNLOCKED)
    for ended in (sslauth("verify", "named", "--trust-self-asserted"), sslauth("verify", REPO)):
        assert (ended.status, why in ended.out + ended.err) == (status, True), ended
    for ended in (sslauth("lock"), sslauth("lock", "--check")):
        assert ended.status in (4, lock)
        assert why in ended.out + ended.err
    assert Path("sslauth.toml").read_text() == UNLOCKED


def test_a_card_that_is_as_claimed_is_used(sslauth: Run, hub_here: HubServer, claims: Metadata) -> None:
    advertise(hub_here, claims)
    for command in CHECKS[1:2] + CHECKS[3:] + CHECKS[:1]:
        assert sslauth(*command).status == 0, command
    assert sslauth("lock", "--check").status == 0


def test_a_card_that_was_revoked(sslauth: Run, hub_here: HubServer, claims: Metadata) -> None:
    advertise(hub_here, replace(claims, revoked=(Revocation(claims.digest, "minted by mistake"),)))
    refused_everywhere(sslauth, 3, "minted by mistake")


def test_a_card_that_expired(
    sslauth: Run, hub_here: HubServer, claims: Metadata, another_card: Callable[..., Path]
) -> None:
    expired = another_card(expires="2020-01-31")
    hub_here.commit(REPO, files_of(expired, "sslauth/"))
    digest = WatermarkCard.load(expired).digest
    advertise(hub_here, replace(claims, digest=digest, expires="2020-01-31"))
    refused_everywhere(sslauth, 3, "expired on 2020-01-31")


def test_another_card_than_the_advertised_one(sslauth: Run, hub_here: HubServer, claims: Metadata) -> None:
    advertise(hub_here, replace(claims, digest="sha256:" + "0" * 64))
    refused_everywhere(sslauth, 4, "advertises the card sha256:0000")


def test_a_card_that_is_older_than_the_weights(
    sslauth: Run, hub_here: HubServer, claims: Metadata, shelf: Shelf, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(shelf.encoder / "model.safetensors")
    save_file(tensors, tmp_path / "anew", metadata={"format": "pt", "by": "another program"})
    hub_here.commit(REPO, {"model.safetensors": (tmp_path / "anew").read_bytes()})
    advertise(hub_here, claims)
    refused_everywhere(sslauth, 3, "the card is older than the weights")


def test_another_width(sslauth: Run, hub_here: HubServer, claims: Metadata) -> None:
    advertise(hub_here, replace(claims, embedding_dim=7))
    refused_everywhere(sslauth, 3, "7")


def test_a_card_of_another_repository(
    sslauth: Run, hub_here: HubServer, claims: Metadata, another_card: Callable[..., Path]
) -> None:
    others = another_card(encoder_name="org/other", commit=claims.encoder_commit)
    hub_here.create("org/other", files_of(others, "sslauth/"))
    hub_here.commit(REPO, files_of(others, "sslauth/"))
    advertise(hub_here, replace(claims, digest=WatermarkCard.load(others).digest))
    refused_everywhere(sslauth, 3, "was minted for another repository, org/other")


def test_a_card_that_is_advertised_and_missing_is_not_minted_anew(
    sslauth: Run, hub_here: HubServer, claims: Metadata
) -> None:
    advertise(hub_here, replace(claims, card="cards/v2"))
    refused_everywhere(sslauth, 3, "advertises a watermark card in cards/v2/, and there is none", lock=3)


def test_a_card_of_the_tracked_branch_is_no_card_of_an_older_encoder(
    sslauth: Run, hub_here: HubServer, claims: Metadata, another_card: Callable[..., Path]
) -> None:
    hub_here.commit(REPO, files_of(another_card(expires="2126-01-31"), "sslauth/"))
    arguments = ("verify", REPO, "--revision", claims.encoder_commit, "--card", REPO, "--format", "json")
    ended = sslauth(*arguments)
    assert f"hub:{REPO}@{claims.encoder_commit}/sslauth" in ended.out
