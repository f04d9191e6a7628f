"""``sslauth add``: from nothing to a pinned encoder and a test."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from hf_integration.checking.pins import read_pins
from hf_integration.signing import sign
from tests.cli.conftest import Ended, Published, files_of
from tests.signing.keys import make_keys

Run = Callable[..., Ended]
FILE = Path("sslauth.toml")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})


def test_the_card_of_the_repo_is_used_and_pinned(sslauth: Run, published: Published) -> None:
    ended = sslauth("add", "org/tiny")
    assert ended.status == 0
    assert FILE.read_text() == (
        f'version = 1\n\n[encoders.tiny]\nrepo = "org/tiny"\ncommit = "{published.commit}"\n'
        f'card_digest = "{published.digest}"\n'
    )
    assert "Trusted on first use" in ended.out
    assert '@pytest.mark.sslauth("tiny")' in ended.out
    assert sslauth("verify", "tiny").status == 0
    assert sslauth("lock", "--check").status == 0


def test_without_a_card_one_is_minted(sslauth: Run, published: Published) -> None:
    commit = published.hub.create("org/bare", files_of(published.workshop / "tiny"))
    FILE.write_text("# ours\nversion = 1\n")
    ended = sslauth("add", "org/bare", "--name", "mine", "--keys", "4", "--format", "json")
    assert ended.status == 0
    facts = json.loads(ended.out)
    assert (facts["minted"], facts["card"], facts["commit"]) == (True, "cards/mine", commit)
    assert FILE.read_text().startswith("# ours\nversion = 1\n\n[encoders.mine]\n")
    pin = read_pins(FILE).encoders["mine"]
    assert (pin.repo, pin.card, pin.commit, pin.card_digest) == (
        "org/bare",
        "cards/mine",
        commit,
        facts["card_digest"],
    )
    assert sslauth("verify", "mine").status == 0


def test_the_pasted_test_is_one(sslauth: Run, published: Published) -> None:
    facts = json.loads(sslauth("add", "org/tiny", "--name", "a.b-c", "--format", "json").out)
    compile(facts["test"], "test_pasted.py", "exec")
    assert "def test_with_a_b_c(authentic_encoder)" in facts["test"]


def test_an_encoder_that_does_not_fit_its_card_is_not_added(sslauth: Run, published: Published) -> None:
    published.hub.commit("org/tiny", files_of(published.workshop / "altered"))
    ended = sslauth("add", "org/tiny")
    assert ended.status == 1
    assert ended.out.startswith("ALTERED: org/tiny")
    assert not FILE.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("org/tiny",), "'search' in sslauth.toml: org/tiny"),
        (("org/tiny", "--name", "search"), "'search' is in sslauth.toml already"),
        (("org/tiny", "--name", "Search"), "'search' is in sslauth.toml already"),
        (("org/tiny", "--name", "../x"), "is not a name"),
        (("org/tiny", "--name", ""), "is not a name"),
        (("org/absent",), "org/absent"),
        (("./nothing",), "no such folder"),
    ],
)
def test_what_cannot_be_added_leaves_the_file_alone(
    sslauth: Run, published: Published, arguments: tuple[str, ...], message: str
) -> None:
    published.pin()
    before = FILE.read_bytes()
    ended = sslauth("add", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert FILE.read_bytes() == before


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_ci_must_not_write_pins_unless_told_to(
    sslauth: Run, published: Published, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI", value)
    asked = len(published.hub.requests)
    ended = sslauth("add", "org/tiny")
    assert (ended.status, ended.out) == (2, "")
    assert "CI is set" in ended.err
    assert "--allow-ci" in ended.err
    assert not FILE.exists()
    assert len(published.hub.requests) == asked
    assert sslauth("add", "org/tiny", "--allow-ci").status == 0
    assert FILE.exists()


def test_a_branch_is_followed_from_then_on(sslauth: Run, published: Published) -> None:
    there = published.hub.commit("org/tiny", {"note.txt": b"x"}, branch="next")
    assert sslauth("add", "org/tiny", "--revision", "next", "-q").out == "tiny\n"
    pin = read_pins(FILE).encoders["tiny"]
    assert (pin.track, pin.commit) == ("next", there)


@pytest.mark.parametrize("branch", ["feat@1", "v1+x", "_next", "a/b#1"])
def test_whatever_branch_was_resolved_is_read_again(sslauth: Run, published: Published, branch: str) -> None:
    published.hub.commit("org/tiny", {"note.txt": b"x"}, branch=branch)
    assert sslauth("add", "org/tiny", "--revision", branch).status == 0
    assert read_pins(FILE).encoders["tiny"].track == branch
    assert sslauth("verify", "tiny").status == 0


def test_whatever_repo_was_downloaded_is_read_again(sslauth: Run, published: Published) -> None:
    published.hub.create("_org/tiny", published.hub.files("org/tiny"))
    assert sslauth("add", "_org/tiny").status == 0
    assert read_pins(FILE).encoders["tiny"].repo == "_org/tiny"
    assert sslauth("verify", "tiny").status == 0


@pytest.mark.parametrize("name", ["~tiny", "a\\b", "a\x1b[2Jb"])
def test_a_folder_that_the_file_cannot_name_is_refused_before_a_card_is_minted(
    sslauth: Run, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import shutil

    monkeypatch.chdir(tmp_path)
    shutil.copytree(workshop / "tiny", tmp_path / name)
    ended = sslauth("add", tmp_path / name, "--name", "x")
    assert (ended.status, ended.out) == (2, "")
    assert "could not be read again" in ended.err
    assert not FILE.exists()
    assert not Path("cards").exists()


def test_a_local_folder_and_the_projects_own_card(
    sslauth: Run, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    assert sslauth("add", "./tiny").status == 0
    pin = read_pins(FILE).encoders["tiny"]
    assert (pin.path, pin.card, pin.repo, pin.commit) == ("tiny", "cards/tiny", None, None)
    assert pin.locked
    assert sslauth("verify", "tiny").status == 0


def test_a_private_card_is_pinned_and_never_to_be_committed(
    sslauth: Run, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(workshop / "tiny", tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    card = WatermarkCard.load(workshop / "cards" / "tiny")
    replace(card, secret=True).save(Path("cards/tiny"))
    ended = sslauth("add", "./tiny")
    assert ended.status == 0
    assert "Review and commit sslauth.toml." in ended.out
    assert "keep cards/tiny out of version control" in ended.out
    ended = sslauth("verify", "tiny")
    assert (ended.status, "others may read it" in ended.err) == (0, False)
    for path in (Path("cards/tiny"), Path("cards/tiny/card.json")):
        path.chmod(0o755)
    assert "others may read it: chmod -R go= cards/tiny" in sslauth("verify", "tiny").err


class TestSigner:
    """Whoever knows the publisher's key need not trust on first use."""

    def sign(self, published: Published, tmp_path: Path, key: str = "publisher") -> Path:
        """Publish a signature by a key; gives the public one."""
        folder = tmp_path / "signing" / key
        folder.mkdir(parents=True)
        keys = make_keys(folder)
        card = shutil.copytree(published.workshop / "cards" / "tiny", folder / "card")
        signature = sign(card, keys.private).path.read_bytes()
        published.hub.commit("org/tiny", {"sslauth/card.sig": signature})
        return keys.public

    def test_the_signer_is_pinned_and_said(self, sslauth: Run, published: Published, tmp_path: Path) -> None:
        public = self.sign(published, tmp_path)
        ended = sslauth("add", "org/tiny", "--signer", public)
        assert ended.status == 0
        assert "Signed by ../signing/publisher/" in ended.out
        assert "Trusted on first use" not in ended.out
        pin = read_pins(FILE).encoders["tiny"]
        assert pin.signer is not None
        assert (Path() / pin.signer).resolve() == public.resolve()
        assert sslauth("verify", "tiny").status == 0

    def test_a_link_to_the_key_is_pinned_as_the_link(
        self, sslauth: Run, published: Published, tmp_path: Path
    ) -> None:
        public = self.sign(published, tmp_path)
        Path("keys").mkdir()
        Path("keys/publisher.pub").symlink_to(public)
        ended = sslauth("add", "org/tiny", "--signer", "keys/publisher.pub")
        assert ended.status == 0
        assert read_pins(FILE).encoders["tiny"].signer == "keys/publisher.pub"
        assert "commit sslauth.toml and keys/publisher.pub" in ended.out

    def test_another_signer_is_refused_and_nothing_pinned(
        self, sslauth: Run, published: Published, tmp_path: Path
    ) -> None:
        self.sign(published, tmp_path)
        folder = tmp_path / "stranger"
        folder.mkdir()
        ended = sslauth("add", "org/tiny", "--signer", make_keys(folder).public)
        assert (ended.status, ended.out) == (4, "")
        assert not FILE.exists()

    def test_without_a_card_none_is_minted_in_the_signers_name(
        self, sslauth: Run, published: Published, tmp_path: Path
    ) -> None:
        public = self.sign(published, tmp_path)
        published.hub.create("org/bare", files_of(published.workshop / "tiny"))
        ended = sslauth("add", "org/bare", "--signer", public)
        assert (ended.status, ended.out) == (3, "")
        assert "no card that the key" in ended.err
        assert not Path("cards").exists()

    def test_a_signature_that_was_not_asked_for_is_said_to_be_none(
        self, sslauth: Run, published: Published, tmp_path: Path
    ) -> None:
        self.sign(published, tmp_path)
        ended = sslauth("add", "org/tiny")
        assert ended.status == 0
        assert "its signature was not checked" in ended.err
        assert "Trusted on first use" in ended.out
