"""``model.sig`` beside an encoder: ``verify``, ``add``, ``bundle`` and pins."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, files_of
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair, make_keys
from tests.signing.model_signatures import sign_model

pytest.importorskip("model_signing.verifying")

Run = Callable[..., Ended]


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("other"))


@pytest.fixture
def project(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: KeyPair) -> Path:
    """A working directory with an encoder that its publisher signed, and its card."""
    project = Path(shutil.copytree(workshop, tmp_path / "project"))
    monkeypatch.chdir(project)
    (project / "tiny" / "README.md").write_text("of the publisher")
    sign_model(project / "tiny", keys.private)
    shutil.copy(keys.public, project / "key.pub")
    return project


def pin(*lines: str, publishers: str = "") -> None:
    table = f"[publishers]\n{publishers}\n" if publishers else ""
    Path("sslauth.toml").write_text("\n".join(["version = 1", table, "[encoders.search]", *lines, ""]))


FOLDER = ('path = "tiny"', 'card = "cards/tiny"')


@pytest.mark.usefixtures("project")
class TestVerify:
    def test_a_publisher_who_signed_is_evidence_of_its_own_and_no_trust_in_the_card(
        self, sslauth: Run, keys: KeyPair
    ) -> None:
        ended = sslauth("verify", "tiny", "--publisher", keys.public, "--format", "json")
        verdict = json.loads(ended.out)
        assert (ended.status, verdict["trust"]) == (0, "local")
        assert verdict["publisher"] == {
            "verified": True,
            "said": f"signed by the key {keys.public}: 5 files are as they were signed",
            "signer": f"the key {keys.public}",
            "files": 5,
            "absent": 0,
            "unsigned": [],
        }
        ended = sslauth("verify", "tiny", "--publisher", keys.public)
        assert "publisher  signed by the key" in ended.out

    def test_a_signature_that_nobody_asks_for_is_named_and_does_not_count(self, sslauth: Run) -> None:
        ended = sslauth("verify", "tiny", "--format", "json")
        publisher = json.loads(ended.out)["publisher"]
        assert (ended.status, publisher["verified"], publisher["signer"]) == (0, False, None)
        assert "model.sig is there and was not checked" in ended.err
        Path("tiny/model.sig").write_text("nonsense")
        assert json.loads(sslauth("verify", "tiny", "--format", "json").out)["publisher"] == publisher
        Path("tiny/model.sig").unlink()
        assert json.loads(sslauth("verify", "tiny", "--format", "json").out)["publisher"] is None

    def test_it_does_not_make_a_card_of_the_same_folder_believed(self, sslauth: Run, keys: KeyPair) -> None:
        Path("cards/tiny").rename("tiny/sslauth")
        sign_model(Path("tiny"), keys.private)
        assert sslauth("verify", "tiny", "--publisher", keys.public).status == 3

    def test_it_does_not_make_an_altered_encoder_authentic(self, sslauth: Run, keys: KeyPair) -> None:
        sign_model(Path("altered"), keys.private)
        given = ("--card", "cards/tiny", "--publisher", keys.public)
        ended = sslauth("verify", "altered", *given, "--format", "json")
        assert (ended.status, json.loads(ended.out)["publisher"]["verified"]) == (1, True)

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda: Path("tiny/model.sig").unlink(), "the file is missing"),
            (lambda: Path("tiny/model.sig").write_text("{}"), "no usable signature"),
            (lambda: Path("tiny/README.md").write_text("x"), "README.md is not the file that was signed"),
            (lambda: shutil.copy("altered/model.safetensors", "tiny"), "model.safetensors is not the file"),
            (lambda: Path("tiny/tokenizer.json").unlink(), "tokenizer.json"),
            (lambda: Path("tiny/vocab.txt").write_text("a"), "does not cover vocab.txt"),
        ],
    )
    def test_whatever_is_not_as_its_publisher_signed_it_ends_with_4(
        self, sslauth: Run, keys: KeyPair, damage: Callable[[], object], said: str
    ) -> None:
        damage()
        ended = sslauth("verify", "tiny", "--publisher", keys.public)
        assert (ended.status, ended.out) in [(4, ""), (2, "")]  # 2: of a folder that is no encoder any more
        assert said in ended.err.splitlines()[-1]

    def test_another_publisher_ends_with_4(self, sslauth: Run, other: KeyPair) -> None:
        for publisher in (other.public, "certificate:key.pub", "sigstore:a@b.c@https://issuer"):
            ended = sslauth("verify", "tiny", "--publisher", publisher)
            assert (ended.status, ended.out) == (4, "")

    @pytest.mark.parametrize("publisher", ["", "missing.pub", "certificate:", "sigstore:nobody", "tiny"])
    def test_a_publisher_that_is_none_ends_with_2(self, sslauth: Run, publisher: str) -> None:
        ended = sslauth("verify", "tiny", "--publisher", publisher)
        assert (ended.status, ended.out) == (2, "")

    def test_without_the_extra_it_ends_with_2_for_who_asks_and_is_named_for_who_does_not(
        self, sslauth: Run, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "model_signing.verifying", None)
        pin(*FOLDER, 'publisher = "key.pub"')
        for asked in (("tiny", "--publisher", keys.public), ("search",)):
            ended = sslauth("verify", *asked)
            assert (ended.status, ended.out) == (2, "")
            assert "pip install 'pytest-sslauth[sign]'" in ended.err
        Path("sslauth.toml").unlink()
        ended = sslauth("verify", "tiny", "--format", "json")
        assert (ended.status, json.loads(ended.out)["publisher"]["verified"]) == (0, False)

    def test_an_entry_asks_for_its_publisher(self, sslauth: Run, other: KeyPair) -> None:
        pin(*FOLDER, 'publisher = "key.pub"')
        assert sslauth("verify", "search").status == 0
        assert sslauth("verify", "search", "--publisher", other.public).status == 4
        shutil.copy(other.public, "key.pub")
        assert sslauth("verify", "search").status == 4

    def test_an_attestation_says_that_the_publisher_signed(self, sslauth: Run, keys: KeyPair) -> None:
        given = ("--attest", "a.json", "--attest-key", keys.private)
        sslauth("verify", "tiny", *given)
        ended = sslauth("check-attestation", "a.json", "--key", keys.public, "--format", "json")
        assert "SSLAUTH_PUBLISHER_SIGNED" not in json.loads(ended.out)["properties"]
        sslauth("verify", "tiny", *given, "--publisher", keys.public)
        ended = sslauth("check-attestation", "a.json", "tiny", "--key", keys.public, "--format", "json")
        assert json.loads(ended.out)["properties"][-1] == "SSLAUTH_PUBLISHER_SIGNED"
        assert json.loads(ended.out)["verdict"]["publisher"]["verified"]

    def test_what_looks_at_no_files_is_refused_where_a_publisher_is_asked_for(self, sslauth: Run) -> None:
        given = ("--endpoint", "http://127.0.0.1:9", "--by-card", "--publisher", "key.pub")
        ended = sslauth("verify", "tiny", *given)
        assert (ended.status, ended.out) == (2, "")
        assert "--by-card looks at none" in ended.err


@pytest.fixture
def published(project: Path, hub_here: HubServer) -> HubServer:
    """``org/tiny`` on a Hub, signed as a whole, among files that nobody fetches."""
    (project / "tiny" / "pytorch_model.bin").write_bytes(b"a pickle")
    sign_model(project / "tiny", make_keys_of(project).private)
    hub_here.create("org/tiny", files_of(project / "tiny"))
    return hub_here


def make_keys_of(project: Path) -> KeyPair:
    return KeyPair(project.parent / "key.pem", project.parent / "key.pub")


@pytest.mark.usefixtures("published")
class TestHub:
    """Repositories, of which only what is needed is fetched."""

    def test_a_pattern_asks_for_the_publisher_of_whatever_fits(self, sslauth: Run, other: KeyPair) -> None:
        pin('repo = "org/tiny"', 'card = "cards/tiny"', publishers='"Org/*" = "key.pub"')
        for name in ("search", "org/tiny"):
            ended = sslauth("verify", name, "--card", "cards/tiny", "--format", "json")
            assert ended.status == 0, ended.err
            publisher = json.loads(ended.out)["publisher"]
            assert (publisher["verified"], publisher["files"], publisher["absent"]) == (True, 4, 2)
        shutil.copy(other.public, "key.pub")
        for name in ("search", "org/tiny"):
            assert sslauth("verify", name, "--card", "cards/tiny").status == 4

    def test_a_repository_that_lost_its_signature_ends_with_4(
        self, sslauth: Run, published: HubServer
    ) -> None:
        pin('repo = "org/tiny"', 'card = "cards/tiny"', publishers='"org/*" = "key.pub"')
        assert sslauth("verify", "search").status == 0
        published.commit("org/tiny", {}, delete=["model.sig"])
        ended = sslauth("verify", "search")
        assert (ended.status, ended.out) == (4, "")
        assert "the file is missing" in ended.err

    def test_weights_that_were_replaced_after_signing_end_with_4(
        self, sslauth: Run, published: HubServer, project: Path
    ) -> None:
        pin('repo = "org/tiny"', 'card = "cards/tiny"', publishers='"org/*" = "key.pub"')
        replaced = (project / "altered" / "model.safetensors").read_bytes()
        published.commit("org/tiny", {"model.safetensors": replaced})
        ended = sslauth("verify", "search")
        assert (ended.status, ended.out) == (4, "")
        assert "model.safetensors is not the file that was signed" in ended.err

    def test_add_pins_the_publisher_and_every_later_check_asks_for_it(
        self, sslauth: Run, other: KeyPair
    ) -> None:
        assert sslauth("add", "org/tiny", "--publisher", other.public).status == 4
        assert not Path("sslauth.toml").exists()
        ended = sslauth("add", "org/tiny", "--publisher", "key.pub", "--format", "json")
        assert ended.status == 0, ended.err
        assert json.loads(ended.out)["publisher"] == "key.pub"
        assert 'publisher = "key.pub"' in Path("sslauth.toml").read_text()
        ended = sslauth("verify", "tiny", "--format", "json")
        assert json.loads(ended.out)["publisher"]["verified"]
        shutil.copy(other.public, "key.pub")
        assert sslauth("verify", "tiny").status == 4

    def test_a_bundle_takes_the_signature_along_and_asks_for_it(
        self, sslauth: Run, monkeypatch: pytest.MonkeyPatch, other: KeyPair
    ) -> None:
        given = ("--card", "cards/tiny", "--name", "tiny")
        assert sslauth("bundle", "org/tiny", *given, "--publisher", other.public, "--out", "no").status == 4
        assert not Path("no").exists()
        assert sslauth("bundle", "org/tiny", *given, "--out", "plain").status == 0
        assert Path("plain/encoder/model.sig").is_file()
        assert "publisher" not in Path("plain/sslauth.toml").read_text()
        ended = sslauth("bundle", "org/tiny", *given, "--publisher", "key.pub", "--out", "signed")
        assert ended.status == 0, ended.err
        monkeypatch.chdir("signed")
        ended = sslauth("verify", "tiny", "--format", "json")
        publisher = json.loads(ended.out)["publisher"]
        assert (ended.status, publisher["verified"], publisher["files"]) == (0, True, 4)
        Path("encoder/model.sig").unlink()
        assert sslauth("verify", "tiny").status == 4

    def test_a_signature_that_is_not_in_the_cache_is_fetched_for_who_asks_for_it_alone(
        self, sslauth: Run, published: HubServer
    ) -> None:
        from huggingface_hub import snapshot_download

        commit = published.head("org/tiny")
        folder = Path(snapshot_download("org/tiny", revision=commit, ignore_patterns=["model.sig", "*.bin"]))
        given = ("org/tiny", "--revision", commit, "--card", "cards/tiny", "--format", "json")
        ended = sslauth("verify", *given)
        assert (ended.status, json.loads(ended.out)["publisher"]) == (0, None), ended.err
        assert not (folder / "model.sig").exists()
        ended = sslauth("verify", *given, "--publisher", "key.pub")
        assert (ended.status, json.loads(ended.out)["publisher"]["verified"]) == (0, True), ended.err
        assert (folder / "model.sig").exists()
