"""``sslauth verify --attest`` and ``sslauth check-attestation``."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ended, Published
from tests.signing.keys import KeyPair, make_keys

Run = Callable[..., Ended]

FILE = Path("tiny.svr.json")


def predicate() -> Any:
    payload = json.loads(FILE.read_bytes())["payload"]
    return json.loads(base64.b64decode(payload))["predicate"]


@pytest.mark.usefixtures("project")
class TestBoth:
    def test_an_authentic_encoder_is_attested_and_its_attestation_checks(
        self, sslauth: Run, keys: KeyPair
    ) -> None:
        ended = sslauth("verify", "tiny", "--attest", FILE, "--attest-key", keys.private, "--format", "json")
        assert ended.status == 0
        assert "attestation: tiny.svr.json, which attests: authentic" in ended.err
        assert predicate()["sslauthVerdict"] == json.loads(ended.out)
        ended = sslauth("check-attestation", FILE, "tiny", "--key", keys.public)
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.startswith("ATTESTED AUTHENTIC: tiny\n")
        assert "the 4 files of tiny are those that were attested" in ended.out
        ended = sslauth("check-attestation", FILE, "--key", keys.public)
        assert ended.status == 0
        assert "not compared" in ended.out

    def test_the_json_says_what_was_compared(self, sslauth: Run, keys: KeyPair) -> None:
        sslauth("verify", "tiny", "--attest", FILE, "--attest-key", keys.private)
        ended = sslauth("check-attestation", FILE, "--key", keys.public, "--format", "json")
        said = json.loads(ended.out)
        assert (said["status"], said["compared"], len(said["files"])) == ("authentic", None, 4)
        assert said["properties"] == ["SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES"]
        ended = sslauth("check-attestation", FILE, "tiny", "--key", keys.public, "--format", "json")
        assert json.loads(ended.out)["compared"] == 4
        assert sslauth("check-attestation", FILE, "--key", keys.public, "-q").out == "authentic\n"

    def test_an_altered_encoder_is_attested_as_altered_and_nothing_of_it_as_good(
        self, sslauth: Run, keys: KeyPair
    ) -> None:
        given = ("--card", "cards/tiny", "--attest", FILE, "--attest-key", keys.private)
        assert sslauth("verify", "altered", *given).status == 1
        assert predicate()["properties"] == []
        ended = sslauth("check-attestation", FILE, "altered", "--key", keys.public)
        assert ended.status == 1
        assert ended.out.startswith("ATTESTED ALTERED: altered\n")
        assert "found good  nothing" in ended.out

    def test_a_waived_alteration_is_attested_as_altered(self, sslauth: Run, keys: KeyPair) -> None:
        state = json.loads(sslauth("verify", "altered", "--card", "cards/tiny", "--format", "json").out)[
            "state"
        ]
        Path("sslauth.toml").write_text(
            'version = 1\n[encoders.search]\npath = "altered"\ncard = "cards/tiny"\n'
            f'[[encoders.search.waivers]]\nstate = "{state}"\nreason = "known"\nuntil = 2099-01-31\n'
        )
        assert sslauth("verify", "search", "--attest", FILE, "--attest-key", keys.private).status == 0
        assert predicate()["properties"] == []
        assert [policy["name"] for policy in predicate()["verifier"]["policies"]] == [
            "card.json",
            "sslauth.toml",
        ]
        assert sslauth("check-attestation", FILE, "--key", keys.public).status == 1

    def test_an_inconclusive_check_is_attested_as_inconclusive(self, sslauth: Run, keys: KeyPair) -> None:
        Path("cards/tiny").rename("tiny/sslauth")
        assert sslauth("verify", "tiny", "--attest", FILE, "--attest-key", keys.private).status == 3
        assert predicate()["properties"] == []
        assert sslauth("check-attestation", FILE, "--key", keys.public).status == 3

    def test_an_attestation_does_not_fit_another_encoder(self, sslauth: Run, keys: KeyPair) -> None:
        sslauth("verify", "tiny", "--attest", FILE, "--attest-key", keys.private)
        ended = sslauth("check-attestation", FILE, "altered", "--key", keys.public)
        assert (ended.status, ended.out, ended.err.count("\n")) == (4, "", 1)
        assert "model.safetensors in altered is not the file that was attested" in ended.err

    def test_a_damaged_attestation_and_another_key_end_with_4(
        self, sslauth: Run, keys: KeyPair, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        sslauth("verify", "tiny", "--attest", FILE, "--attest-key", keys.private)
        other = make_keys(tmp_path_factory.mktemp("other"))
        assert sslauth("check-attestation", FILE, "--key", other.public).status == 4
        FILE.write_bytes(FILE.read_bytes().replace(b"A", b"B", 1))
        ended = sslauth("check-attestation", FILE, "--key", keys.public)
        assert (ended.status, ended.out, ended.err.count("\n")) == (4, "", 1)

    def test_without_a_verdict_nothing_is_written(self, sslauth: Run, keys: KeyPair) -> None:
        given = ("--attest", FILE, "--attest-key", keys.private)
        assert sslauth("verify", "tiny", "--card", "cards/none", *given).status == 3
        assert sslauth("verify", "./nowhere", *given).status == 2
        assert not FILE.exists()

    @pytest.mark.parametrize(
        "given",
        [
            ("--attest", "a.json"),
            ("--attest-key", "KEY"),
            ("--attest", "a.json", "--attest-key", "PUBLIC"),
            ("--attest", "a.json", "--attest-key", "missing.pem"),
            ("--attest", "no/a.json", "--attest-key", "KEY"),
            ("--attest", "tiny/a.json", "--attest-key", "KEY"),
            ("--attest", "tiny/config.json", "--attest-key", "KEY"),
            ("--attest", "cards/tiny/card.json", "--attest-key", "KEY"),
            ("--attest", "sslauth.toml", "--attest-key", "KEY"),
            ("--attest", "KEY", "--attest-key", "KEY"),
            ("--attest", "a.json", "--attest-key", "KEY", "--output", "a.json"),
            ("--attest", "a.json", "--attest-key", "KEY", "--output", "KEY"),
            ("--attest", "a.json", "--attest-key", "KEY", "--picture", "a.json"),
            ("--attest", "a.json", "--attest-key", "KEY", "--endpoint", "http://localhost:1"),
            ("--attest", "a.json", "--attest-key", "KEY", "--converted", "tiny"),
        ],
        ids=" ".join,
    )
    def test_what_cannot_be_done_ends_with_2_and_loses_nothing(
        self, sslauth: Run, keys: KeyPair, project: Path, given: tuple[str, ...]
    ) -> None:
        def state() -> dict[Path, bytes]:
            files = [*project.rglob("*"), keys.private]
            return {file: file.read_bytes() for file in files if file.is_file()}

        before = state()
        named = {"KEY": keys.private, "PUBLIC": keys.public}
        ended = sslauth("verify", "tiny", *(named.get(one, one) for one in given))
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.splitlines()[-1].startswith("sslauth: error: ")
        assert state() == before

    def test_without_the_extra_both_end_with_2_and_say_what_to_install(
        self, sslauth: Run, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        FILE.write_text("{}")
        monkeypatch.setitem(sys.modules, "model_signing.verifying", None)
        for command in (
            ("verify", "tiny", "--attest", "a.json", "--attest-key", keys.private),
            ("check-attestation", FILE, "--key", keys.public),
        ):
            ended = sslauth(*command)
            assert (ended.status, ended.out) == (2, "")
            assert "pip install 'pytest-sslauth[sign]'" in ended.err

    def test_an_encrypted_key_signs_with_its_password(
        self, sslauth: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        locked = make_keys(tmp_path_factory.mktemp("locked"), password="open sesame")  # noqa: S106
        given = ("verify", "tiny", "--attest", FILE, "--attest-key", locked.private)
        assert sslauth(*given).status == 2
        assert not FILE.exists()
        monkeypatch.setenv("SSLAUTH_KEY_PASSWORD", "open sesame")
        assert sslauth(*given).status == 0
        assert sslauth("check-attestation", FILE, "--key", locked.public).status == 0

    def test_no_folder_and_no_attestation_end_with_2(self, sslauth: Run, keys: KeyPair) -> None:
        sslauth("verify", "tiny", "--attest", FILE, "--attest-key", keys.private)
        assert sslauth("check-attestation", FILE, "nowhere", "--key", keys.public).status == 2
        assert sslauth("check-attestation", "nowhere", "--key", keys.public).status == 2
        assert sslauth("check-attestation", FILE, "--key", "nowhere").status == 2


def test_a_hub_repository_is_attested_at_its_commit(
    sslauth: Run, published: Published, keys: KeyPair
) -> None:
    published.pin()
    ended = sslauth("verify", "search", "--attest", FILE, "--attest-key", keys.private)
    assert ended.status == 0, ended.err
    assert predicate()["properties"][-1] == "SSLAUTH_CARD_PINNED"
    ended = sslauth(
        "check-attestation", FILE, published.workshop / "tiny", "--key", keys.public, "--format", "json"
    )
    assert ended.status == 0, ended.err
    said = json.loads(ended.out)
    assert (said["name"], said["uri"]) == ("search", f"pkg:huggingface/org/tiny@{published.commit}")
