"""Encoders and cards as the plugin finds and remembers them, without a run of pytest around it."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import load_encoder
from hf_integration.base.errors import InconclusiveError
from hf_integration.hub import Publisher, revocation
from hf_integration.snapshot import hub as snapshot_hub
from pytest_sslauth.checks import Checks
from pytest_sslauth.marker import CheckRequest
from pytest_sslauth.options import Settings
from tests.hub.repositories import files_of
from tests.hub_server import HubServer
from tests.hub_server.fixtures import hub, hub_here

__all__ = ["hub", "hub_here"]

REPO = "org/tiny"


@pytest.fixture
def root(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with ``models/tiny`` and ``cards/tiny``."""
    shutil.copytree(workshop, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def checks(root: Path) -> Checks:
    return Checks(
        Settings(
            rootdir=root,
            cards=root / "cards",
            config=root / "sslauth.toml",
            device="cpu",
            accept_self_asserted=True,
        )
    )


@pytest.fixture
def online(root: Path, hub_here: HubServer) -> HubServer:
    """``org/tiny`` on a Hub, with its card beside it and a model card that says so."""
    hub_here.create(REPO, files_of(root / "models/tiny"))
    _publisher().publish(root / "cards/tiny", REPO)
    return hub_here


def _publisher() -> Publisher:
    return Publisher(load=lambda name, commit, _: load_encoder(name, revision=commit, device="cpu"))


def test_the_projects_card_may_be_called_like_a_link_or_like_the_folder_behind_it(
    root: Path, checks: Checks
) -> None:
    (root / "models/current").symlink_to("tiny")
    assert not checks.of_name(CheckRequest("models/current")).failure
    (root / "cards/tiny").rename(root / "cards/current")
    assert not checks.of_name(CheckRequest("models/current")).failure


def test_the_projects_card_may_be_where_a_repository_has_it(root: Path, checks: Checks) -> None:
    (root / "cards/tiny").rename(root / "card")
    (root / "cards/tiny").mkdir()
    (root / "card").rename(root / "cards/tiny/sslauth")
    assert not checks.of_name(CheckRequest("models/tiny")).failure


def test_a_card_whose_files_are_links_into_the_encoder_is_self_asserted(root: Path, checks: Checks) -> None:
    shutil.copytree(root / "cards/tiny", root / "models/tiny/own")
    (root / "cards/linked").mkdir()
    for file in (root / "cards/tiny").iterdir():
        (root / "cards/linked" / file.name).symlink_to(root / "models/tiny/own" / file.name)
    verdict = checks.of_name(CheckRequest("models/tiny", card="cards/linked")).verdict
    assert verdict is not None
    assert verdict.trust == "self-asserted"


def test_an_encoder_in_memory_is_given_back_with_its_verdict(root: Path, checks: Checks) -> None:
    encoder = load_encoder("models/tiny", device="cpu")
    outcome, given = checks.of_object(encoder, None, CheckRequest("x", card="cards/tiny"))
    assert given is encoder
    assert encoder.verdict is outcome.verdict is not None


@pytest.mark.parametrize("name", [None, "mine"])
def test_claims_are_asked_for_an_encoder_in_memory_whatever_it_is_called(
    online: HubServer, checks: Checks, name: str | None
) -> None:
    encoder = load_encoder(REPO, name=name, device="cpu")
    outcome, _ = checks.of_object(encoder, None, CheckRequest("x", card=REPO))
    assert outcome.verdict is not None
    assert outcome.verdict.claims


@pytest.mark.usefixtures("online")
def test_a_card_that_its_repository_took_back_is_refused_for_a_module_too(root: Path, checks: Checks) -> None:
    encoder = load_encoder(REPO, device="cpu")
    request = CheckRequest("x", card=REPO)
    assert not checks.of_object(encoder.model, encoder.processor, request)[0].failure
    digest = "sha256:" + hashlib.sha256((root / "cards/tiny/card.json").read_bytes()).hexdigest()
    taken_back = replace(_publisher(), revoked=revocation(digest, "minted from the wrong branch"))
    taken_back.publish(root / "cards/tiny", REPO)
    assert "wrong branch" in checks.of_object(encoder.model, encoder.processor, request)[0].failure


@pytest.mark.usefixtures("online")
def test_a_model_card_that_could_not_be_asked_about_is_asked_about_again(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> str:
        raise InconclusiveError("the Hub is down")

    with monkeypatch.context() as outage:
        outage.setattr(snapshot_hub, "resolve_commit", down)
        assert "the Hub is down" in checks.of_model_card(CheckRequest(REPO)).failure
    assert not checks.of_model_card(CheckRequest(REPO)).failure
