"""One rule for names, whichever command reads them: what is pinned, what is missing, what is misspelt."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_integration.base.errors import CardNotFoundError
from hf_integration.bundle import BundleRequest, make_bundle
from hf_integration.checking.held_card import Access
from tests.cli.conftest import Ended, Published, files_of

Run = Callable[..., Ended]

QUICK = ("--keys", "1", "--out", "minted")


class TestMint:
    def test_takes_the_pinned_commit_and_names_the_repository(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        published.replace_encoder()
        assert sslauth("mint", "search", *QUICK).status == 0
        encoder = json.loads(Path("minted/card.json").read_text())["encoder"]
        assert (encoder["name"], encoder["commit"]) == ("org/tiny", published.commit)

    def test_takes_what_an_entry_that_is_not_locked_tracks(self, sslauth: Run, published: Published) -> None:
        published.pin(commit="", card_digest="", track=published.commit)
        published.replace_encoder()
        assert sslauth("mint", "search", *QUICK).status == 0
        assert json.loads(Path("minted/card.json").read_text())["encoder"]["commit"] == published.commit

    def test_does_not_contradict_the_pin(self, sslauth: Run, published: Published) -> None:
        published.pin()
        ended = sslauth("mint", "search", "--revision", published.replace_encoder(), *QUICK)
        assert (ended.status, Path("minted").exists()) == (2, False)
        assert "contradicts sslauth.toml" in ended.err


class TestInspect:
    def test_reads_a_card_of_another_repository_at_that_ones_commit(
        self, sslauth: Run, published: Published
    ) -> None:
        published.hub.create("org/cards", files_of(published.workshop / "cards/tiny"))
        published.pin(card="org/cards")
        assert sslauth("inspect", "search", "-q") == Ended(0, f"{published.digest}\n", "")

    def test_refuses_a_revision_of_a_folder(self, sslauth: Run, here: Path) -> None:
        assert sslauth("inspect", here / "cards/tiny", "--revision", "v1").status == 2


@pytest.mark.parametrize("command", [("verify",), ("stress",), ("add",), ("mint", *QUICK)])
def test_a_folder_has_no_revision_for_any_command(
    sslauth: Run, published: Published, command: tuple[str, ...]
) -> None:
    verb, *rest = command
    shutil.copytree(published.workshop / "tiny", "tiny")
    card = ("--card", published.workshop / "cards/tiny") if verb in ("verify", "stress") else ()
    ended = sslauth(verb, "tiny", "--revision", "v1", *card, *rest)
    assert (ended.status, ended.out) == (2, "")
    assert "which has no revision 'v1'" in ended.err
    assert not Path("sslauth.toml").exists()


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_not_the_current_folder(
    sslauth: Run, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(here / "tiny", tmp_path / "tiny")
    monkeypatch.chdir(tmp_path / "tiny")
    card = here / "cards/tiny"
    for command in (
        ("verify", name, "--card", card),
        ("verify", ".", "--card", name),
        ("stress", name, "--card", card),
        ("stress", ".", "--card", name),
        ("mint", name, "--keys", "1", "--out", "../minted"),
        ("add", name),
        ("inspect", name),
        ("bundle", name, "--card", card, "--out", "../bundle"),
        ("bundle", ".", "--card", name, "--out", "../bundle"),
    ):
        ended = sslauth(*command)
        assert (ended.status, ended.out) == (2, ""), command
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["tiny"]


def test_a_pinned_folder_that_is_missing_never_becomes_a_repository(
    sslauth: Run, published: Published
) -> None:
    published.hub.create("enc/tiny", files_of(published.workshop / "tiny"))
    shutil.copytree(published.workshop / "cards/tiny", "cards/tiny")
    published.pin(repo="", commit="", path="enc/tiny", card="cards/tiny")
    for command in (
        ("verify", "search"),
        ("bundle", "search", "--out", "bundle"),
        ("mint", "search", *QUICK),
    ):
        ended = sslauth(*command)
        assert (ended.status, "enc/tiny: no such folder" in ended.err) == (2, True), command
    Path("enc").mkdir()
    Path("enc/tiny").symlink_to("nowhere")
    assert sslauth("verify", "search").status == 2


def test_a_missing_folder_of_a_card_never_becomes_a_repository(published: Published, tmp_path: Path) -> None:
    published.hub.create("keys/tiny", files_of(published.workshop / "cards/tiny"))
    request = BundleRequest(
        encoder="org/tiny", out=tmp_path / "bundle", card=Path("keys/tiny"), accept_self_asserted=True
    )
    with pytest.raises(CardNotFoundError):
        make_bundle(request, Access(device="cpu"))


@pytest.mark.parametrize("command", [("mint", "serach", *QUICK), ("inspect", "serach"), ("verify", "serach")])
def test_a_name_that_may_be_misspelt_is_said(
    sslauth: Run, published: Published, command: tuple[str, ...]
) -> None:
    published.pin()
    assert "'serach' is not in sslauth.toml; there are: search" in sslauth(*command).err


def test_what_contradicts_a_pin_is_said_before_anything_is_read(sslauth: Run, published: Published) -> None:
    published.pin(card="cards/absent")
    ended = sslauth("verify", "search", "--revision", "main")
    assert (ended.status, "contradicts sslauth.toml" in ended.err) == (2, True)


def test_a_repository_is_its_own_however_its_name_is_written(sslauth: Run, published: Published) -> None:
    published.pin(card="Org/Tiny")
    published.replace_encoder()
    assert sslauth("verify", "search").status == 0
