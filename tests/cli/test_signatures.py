"""``sslauth sign`` and ``sslauth verify --signer``."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration.card import WatermarkCard
from hf_integration.signing import sign, verify
from tests.cli.conftest import Ended, environment, finish, start
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair, make_keys

Run = Callable[..., Ended]


def signed_by(keys: KeyPair) -> bytes:
    return sign("cards/tiny", keys.private).path.read_bytes()


@pytest.mark.usefixtures("project")
class TestSigner:
    def test_a_card_that_the_signer_signed_is_believed_for_it(self, sslauth: Run, keys: KeyPair) -> None:
        assert sslauth("sign", "cards/tiny", "--key", keys.private).status == 0
        ended = sslauth("verify", "tiny", "--signer", keys.public)
        assert ended.status == 0
        assert "signed: its signature was checked" in ended.out
        assert f"card: cards/tiny, signed by the key {keys.public}" in ended.err

    def test_a_signed_card_that_lies_with_its_encoder_is_not_self_asserted(
        self, sslauth: Run, keys: KeyPair
    ) -> None:
        Path("cards/tiny").rename("tiny/sslauth")
        assert sslauth("verify", "tiny").status == 3
        sslauth("sign", "tiny", "--key", keys.private)
        assert sslauth("verify", "tiny").status == 3
        ended = sslauth("verify", "tiny", "--signer", keys.public, "--format", "json")
        assert ended.status == 0
        assert json.loads(ended.out)["trust"] == "signed"

    def test_a_signature_makes_no_altered_encoder_authentic(self, sslauth: Run, keys: KeyPair) -> None:
        sslauth("sign", "cards/tiny", "--key", keys.private)
        assert sslauth("verify", "altered", "--card", "cards/tiny", "--signer", keys.public).status == 1

    def test_an_unsigned_card_ends_with_4_before_the_encoder_takes_its_seconds(
        self, sslauth: Run, keys: KeyPair
    ) -> None:
        ended = sslauth("verify", "tiny", "--signer", keys.public)
        assert (ended.status, ended.out) == (4, "")
        assert ended.err.count("\n") == 1
        assert "no usable signature" in ended.err

    def test_a_card_that_was_edited_after_signing_ends_with_4(self, sslauth: Run, keys: KeyPair) -> None:
        sslauth("sign", "cards/tiny", "--key", keys.private)
        replace(WatermarkCard.load("cards/tiny"), created="2030-01-01T00:00:00Z").save(Path("cards/again"))
        for file in Path("cards/again").iterdir():
            shutil.copy(file, "cards/tiny")
        ended = sslauth("verify", "tiny", "--signer", keys.public)
        assert (ended.status, ended.out) == (4, "")
        assert "is not a signature of this card: card.json is not the file that was signed" in ended.err

    def test_it_holds_besides_the_signer_of_sslauth_toml(
        self, sslauth: Run, keys: KeyPair, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = make_keys(tmp_path_factory.mktemp("other"))
        shutil.copy(keys.public, "key.pub")
        entry = '[encoders.search]\npath = "tiny"\ncard = "cards/tiny"\nsigner = "key.pub"\n'
        Path("sslauth.toml").write_text(f"version = 1\n{entry}")
        assert sslauth("verify", "search").status == 4
        sslauth("sign", "cards/tiny", "--key", keys.private)
        signed = sslauth("verify", "search", "--format", "json")
        assert (signed.status, json.loads(signed.out)["trust"]) == (0, "signed")
        assert sslauth("verify", "search", "--signer", keys.public).status == 0
        assert sslauth("verify", "search", "--signer", other.public).status == 4
        assert sslauth("verify", "tiny", "--signer", other.public).status == 4

    def test_it_holds_for_the_card_that_a_repository_publishes(
        self, sslauth: Run, keys: KeyPair, hub_here: HubServer, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = make_keys(tmp_path_factory.mktemp("other"))
        files = {file.name: file.read_bytes() for file in Path("tiny").iterdir()}
        card = {f"sslauth/{file.name}": file.read_bytes() for file in Path("cards/tiny").iterdir()}
        hub_here.create("org/published", {**files, **card})
        assert sslauth("verify", "org/published").status == 3
        assert sslauth("verify", "org/published", "--signer", keys.public).status == 4
        signature = signed_by(keys)
        hub_here.commit("org/published", {"sslauth/card.sig": signature})
        ended = sslauth("verify", "org/published", "--signer", keys.public, "--format", "json")
        assert (ended.status, json.loads(ended.out)["trust"]) == (0, "signed")
        assert sslauth("verify", "org/published", "--signer", other.public).status == 4
        ended = sslauth("verify", "tiny", "--card", "org/published", "--signer", other.public)
        assert (ended.status, ended.out) == (4, "")

    @pytest.mark.parametrize("signer", ["", "missing.pub", "sigstore:nobody", "tiny"])
    def test_a_signer_that_is_none_ends_with_2(self, sslauth: Run, signer: str) -> None:
        ended = sslauth("verify", "tiny", "--signer", signer)
        assert (ended.status, ended.out) == (2, "")

    def test_without_the_extra_a_signer_ends_with_2_and_says_what_to_install(
        self, sslauth: Run, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "model_signing.verifying", None)
        ended = sslauth("verify", "tiny", "--signer", keys.public)
        assert (ended.status, ended.out) == (2, "")
        assert "pip install 'pytest-sslauth[sign]'" in ended.err
        assert sslauth("sign", "cards/tiny", "--key", keys.private).status == 2


@pytest.mark.usefixtures("project")
class TestSign:
    def test_what_was_signed_is_said_in_every_format(self, sslauth: Run, keys: KeyPair) -> None:
        first = sslauth("sign", "cards/tiny", "--key", keys.private, "--format", "json")
        said = json.loads(first.out)
        assert said["new"] is True
        assert said["signature"] == "cards/tiny/card.sig"
        again = sslauth("sign", "cards/tiny", "--key", keys.private)
        assert again.out.startswith("signed before, nothing to do: sha256:")
        assert said["fingerprint"] in again.out
        assert sslauth("sign", "cards/tiny", "--key", keys.private, "-q").out == f"{said['card']['digest']}\n"

    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            ((), 2),
            (("cards/tiny",), 2),
            (("cards/tiny", "--key", ""), 2),
            (("cards/tiny", "--key", "missing"), 2),
            (("missing", "--key", "KEY"), 3),
        ],
    )
    def test_bad_input_ends_in_one_line(
        self, sslauth: Run, keys: KeyPair, arguments: tuple[str, ...], status: int
    ) -> None:
        ended = sslauth("sign", *(str(keys.private) if a == "KEY" else a for a in arguments))
        assert ended.status == status
        assert "Traceback" not in ended.err

    def test_a_minted_card_takes_no_signature_over(
        self, sslauth: Run, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hf_integration.minting.minter.INSTRUCTION_SETS", {})
        sslauth("sign", "cards/tiny", "--key", keys.private)
        ended = sslauth("mint", "tiny", "--out", "cards/tiny", "--force", "--keys", "2")
        assert ended.status == 0
        assert "the signature of the card that was replaced is gone: sign this one" in ended.err
        assert not Path("cards/tiny/card.sig").exists()


def test_a_terminal_is_asked_for_the_password(project: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    keys = make_keys(locked, password="correct horse")  # noqa: S106  # a test's
    ours, theirs = os.openpty()
    code = (
        "import os, sys; os.open(os.ttyname(0), os.O_RDWR)\n"  # the terminal of this session from now on
        "from hf_integration.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    env = environment()
    env.pop("SSLAUTH_KEY_PASSWORD", None)
    process = start(
        "sign", "cards/tiny", "--key", keys.private, code=code, env=env, stdin=theirs, start_new_session=True
    )
    os.close(theirs)
    asked = b""
    while b"password of" not in asked:
        asked += os.read(ours, 1000)
    os.write(ours, b"correct horse\n")
    ended = finish(process)
    os.close(ours)
    assert ended.status == 0, ended.err
    assert "correct horse" not in ended.out + ended.err
    verify(project / "cards" / "tiny", keys.public)
