"""Signing: which keys do, what becomes of a signature that is there, and what is never left behind."""

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hf_integration.base.errors import (
    CardError,
    CardNotFoundError,
    InconclusiveError,
    OutputError,
    UsageError,
)
from hf_integration.card import WatermarkCard
from hf_integration.signing import sign, verify
from tests.card.editing import edit_record, set_to
from tests.card.synthetic_cards import make_card
from tests.signing.keys import KeyPair, make_keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A card that nobody signed."""
    make_card(keys=2, strips=1).save(tmp_path / "card")
    return tmp_path / "card"


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class TestKeys:
    @pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
    def test_a_key_on_a_supported_curve_signs(
        self, folder: Path, tmp_path: Path, curve: ec.EllipticCurve
    ) -> None:
        keys = make_keys(tmp_path, key=ec.generate_private_key(curve))
        made = sign(folder, keys.private)
        assert made.is_new
        assert made.path == folder / "card.sig"
        assert verify(folder, keys.public) == made.card_digest == WatermarkCard.load(folder).digest
        assert listing(folder) == ["card.json", "card.safetensors", "card.sig", "watermark.png"]

    @pytest.mark.parametrize(
        "make",
        [
            lambda: ec.generate_private_key(ec.SECP256K1()),
            lambda: rsa.generate_private_key(65537, 2048),
            ed25519.Ed25519PrivateKey.generate,
        ],
    )
    def test_a_key_of_another_kind_is_refused_for_both(
        self, folder: Path, tmp_path: Path, make: Any, keys: KeyPair
    ) -> None:
        odd = make_keys(tmp_path, key=make())
        with pytest.raises(UsageError, match=r"not an ECDSA key on P-256, P-384, P-521"):
            sign(folder, odd.private)
        sign(folder, keys.private)
        with pytest.raises(UsageError, match="not an ECDSA key"):
            verify(folder, odd.public)

    def test_the_two_parts_of_a_key_are_not_mixed_up(self, folder: Path, keys: KeyPair) -> None:
        with pytest.raises(UsageError, match="is a public key, which cannot sign"):
            sign(folder, keys.public)
        sign(folder, keys.private)
        with pytest.raises(UsageError, match="is a private key, which no check needs"):
            verify(folder, keys.private)

    @pytest.mark.parametrize("data", [b"", b"text", b"\0" * 100, b"x" * (1 << 20)])
    def test_a_file_that_is_no_key(self, folder: Path, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "key").write_bytes(data)
        for call in (sign, verify):
            with pytest.raises(UsageError) as caught:
                call(folder, tmp_path / "key")
            assert str(caught.value).isprintable()

    def test_a_damaged_key(self, folder: Path, tmp_path: Path, keys: KeyPair) -> None:
        (tmp_path / "key").write_bytes(keys.private.read_bytes().replace(b"M", b"N", 3))
        with pytest.raises(UsageError, match="not a private key in PEM"):
            sign(folder, tmp_path / "key")


class TestPasswords:
    @pytest.fixture
    def locked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyPair:
        monkeypatch.delenv("SSLAUTH_KEY_PASSWORD", raising=False)
        return make_keys(tmp_path, password="correct horse")  # noqa: S106  # a test's

    def test_the_password_comes_from_the_environment(
        self, folder: Path, locked: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSLAUTH_KEY_PASSWORD", "correct horse")
        sign(folder, locked.private)
        verify(folder, locked.public)

    def test_a_wrong_password_is_not_repeated_in_the_message(
        self, folder: Path, locked: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSLAUTH_KEY_PASSWORD", "battery staple")
        with pytest.raises(UsageError, match="cannot unlock") as caught:
            sign(folder, locked.private)
        assert "battery" not in str(caught.value)
        assert "card.sig" not in listing(folder)

    def test_without_one_and_without_a_terminal_it_says_what_to_do(
        self, folder: Path, locked: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(UsageError, match=r"is encrypted .set SSLAUTH_KEY_PASSWORD"):
            sign(folder, locked.private)

    def test_a_password_that_is_not_needed_does_no_harm(
        self, folder: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSLAUTH_KEY_PASSWORD", "whatever")
        sign(folder, keys.private)
        verify(folder, keys.public)


class TestExistingSignatures:
    def test_signing_again_with_the_same_key_changes_nothing(self, folder: Path, keys: KeyPair) -> None:
        sign(folder, keys.private)
        before = (folder / "card.sig").read_bytes()
        assert not sign(folder, keys.private).is_new
        assert (folder / "card.sig").read_bytes() == before

    def test_a_signature_of_somebody_else_is_replaced_only_when_asked(
        self, folder: Path, keys: KeyPair, other_keys: KeyPair
    ) -> None:
        sign(folder, keys.private)
        with pytest.raises(OutputError, match="exists already") as caught:
            sign(folder, other_keys.private)
        assert caught.value.exit_status == 2
        verify(folder, keys.public)
        sign(folder, other_keys.private, force=True)
        verify(folder, other_keys.public)

    def test_a_card_that_is_replaced_loses_its_signature(self, folder: Path, keys: KeyPair) -> None:
        sign(folder, keys.private)
        make_card("audio").save(folder, force=True)
        assert listing(folder) == ["card.json", "card.safetensors", "watermark.png"]

    def test_a_card_that_is_edited_in_place_has_to_be_signed_again(self, folder: Path, keys: KeyPair) -> None:
        sign(folder, keys.private)
        edit_record(folder, set_to("tolerance", to=0.5))
        with pytest.raises(OutputError, match="for an earlier card"):
            sign(folder, keys.private)
        assert sign(folder, keys.private, force=True).is_new
        verify(folder, keys.public)


class TestWhatIsSigned:
    def test_a_damaged_card_is_never_signed(self, folder: Path, keys: KeyPair) -> None:
        (folder / "watermark.png").write_bytes(b"x")
        with pytest.raises(CardError):
            sign(folder, keys.private)
        assert "card.sig" not in listing(folder)

    def test_no_card(self, tmp_path: Path, keys: KeyPair) -> None:
        for place in (tmp_path, tmp_path / "missing"):
            with pytest.raises(CardNotFoundError):
                sign(place, keys.private)

    def test_a_card_inside_its_encoders_folder_is_signed_where_it_lies(
        self, folder: Path, keys: KeyPair
    ) -> None:
        encoder = folder.parent / "encoder"
        encoder.mkdir()
        folder.rename(encoder / "sslauth")
        assert sign(encoder, keys.private).path == encoder / "sslauth" / "card.sig"

    def test_a_private_cards_signature_is_for_its_owner_only(self, tmp_path: Path, keys: KeyPair) -> None:
        make_card(secret=True).save(tmp_path / "card")
        path = sign(tmp_path / "card", keys.private).path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_private_card_does_not_go_to_a_public_log(self, tmp_path: Path) -> None:
        make_card(secret=True).save(tmp_path / "card")
        with pytest.raises(UsageError, match="this card is private"):
            sign(tmp_path / "card", "sigstore")
        assert "card.sig" not in listing(tmp_path / "card")

    def test_no_path_of_this_machine_is_in_it(self, folder: Path, keys: KeyPair) -> None:
        import base64
        import json

        bundle = json.loads(sign(folder, keys.private).path.read_bytes())
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).decode()
        assert json.loads(payload)["subject"][0]["name"] == "watermark-card"
        assert str(folder) not in payload

    @pytest.mark.parametrize("raised", [KeyboardInterrupt(), OSError(28, "No space left on device")])
    def test_nothing_half_written_remains(
        self, folder: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch, raised: BaseException
    ) -> None:
        def interrupted(descriptor: int) -> None:
            raise raised

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises((KeyboardInterrupt, OutputError)):
            sign(folder, keys.private)
        assert listing(folder) == ["card.json", "card.safetensors", "watermark.png"]

    def test_sigstore_without_a_network_signs_nothing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        with pytest.raises(InconclusiveError, match="Sigstore did not sign"):
            sign(folder, "sigstore")
        assert "card.sig" not in listing(folder)
