"""Whatever is not the signer's signature over exactly this card is refused, in one line, with status 4."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import (
    CardError,
    CardNotFoundError,
    InconclusiveError,
    IntegrityError,
    UsageError,
)
from hf_integration.card import WatermarkCard
from hf_integration.signing import load_signed_card, sign, verify
from tests.card.synthetic_cards import make_card
from tests.signing.forging import Edit, edit_bundle, edit_statement, sign_payload, sign_plainly
from tests.signing.keys import KeyPair


def refusal(folder: Path, keys: KeyPair, *parts: str) -> IntegrityError:
    """The error of checking the signature, once it is known to be one clear line."""
    with pytest.raises(IntegrityError) as caught:
        verify(folder, keys.public)
    message = str(caught.value)
    assert caught.value.exit_status == 4
    assert message.isprintable()
    assert len(message) < 1500
    for part in parts:
        assert part in message
    return caught.value


class TestGoodSignatures:
    def test_the_digest_of_the_signed_card_comes_back(self, signed: Path, keys: KeyPair) -> None:
        digest = WatermarkCard.load(signed).digest
        assert verify(signed, keys.public) == digest
        assert load_signed_card(signed, keys.public).digest == digest
        assert load_signed_card(signed, str(keys.public)).location == str(signed)

    def test_other_files_beside_the_card_do_not_matter(self, signed: Path, keys: KeyPair) -> None:
        (signed / "README.md").write_text("text")
        (signed / ".git").mkdir()
        (signed / "loop").symlink_to("loop")
        os.mkfifo(signed / "pipe")
        verify(signed, keys.public)

    def test_links_are_followed(self, signed: Path, keys: KeyPair) -> None:
        blobs = signed.parent / "blobs"
        signed.rename(blobs)
        signed.mkdir()
        for file in blobs.iterdir():
            (signed / file.name).symlink_to(file)
        verify(signed, keys.public)

    def test_the_name_of_the_folder_does_not_matter(self, signed: Path, keys: KeyPair) -> None:
        verify(signed.rename(signed.parent / "elsewhere"), keys.public)

    def test_a_signature_by_the_plain_tool_over_the_folder_counts(self, signed: Path, keys: KeyPair) -> None:
        sign_plainly(signed, keys.private)
        verify(signed, keys.public)

    def test_the_plain_tool_accepts_ours(self, signed: Path, keys: KeyPair) -> None:
        from model_signing import hashing, verifying

        config = hashing.Config().set_ignored_paths(paths=["card.sig"])
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=keys.public)
        verifier.set_hashing_config(config).verify(signed, signed / "card.sig")

    def test_nothing_is_printed(self, signed: Path, keys: KeyPair, capfd: pytest.CaptureFixture[str]) -> None:
        verify(signed, keys.public)
        assert capfd.readouterr() == ("", "")


class TestOtherFiles:
    def test_an_unsigned_card(self, signed: Path, keys: KeyPair) -> None:
        (signed / "card.sig").unlink()
        refusal(signed, keys, "no usable signature", "card.sig", "the file is missing")

    @pytest.mark.parametrize("name", ["card.json", "card.safetensors", "watermark.png"])
    def test_an_edited_file(self, signed: Path, keys: KeyPair, name: str) -> None:
        with (signed / name).open("ab") as file:
            file.write(b" ")
        refusal(signed, keys, f"{name} is not the file that was signed")

    @pytest.mark.parametrize("name", ["card.json", "card.safetensors", "watermark.png"])
    def test_a_missing_file(self, signed: Path, keys: KeyPair, name: str) -> None:
        (signed / name).unlink()
        assert isinstance(refusal(signed, keys, name, "missing"), CardError)

    def test_another_card(self, signed: Path, keys: KeyPair) -> None:
        other = signed.parent / "other"
        make_card("audio").save(other)
        shutil.copy(signed / "card.sig", other)
        refusal(other, keys, "card.json is not the file that was signed")

    def test_a_signature_over_fewer_files(self, signed: Path, keys: KeyPair) -> None:
        sign_plainly(signed, keys.private, ignoring=("watermark.png",))
        refusal(signed, keys, "it does not cover watermark.png")

    def test_a_signature_over_more_files(self, signed: Path, keys: KeyPair) -> None:
        (signed / "model.safetensors").write_bytes(b"weights")
        sign_plainly(signed, keys.private)
        refusal(signed, keys, "it covers model.safetensors as well")

    @pytest.mark.parametrize("how", [{"hashing_algorithm": "blake2"}, {"shard_size": 100}])
    def test_a_signature_over_something_else_than_sha256_of_files(
        self, signed: Path, keys: KeyPair, how: dict[str, Any]
    ) -> None:
        sign_plainly(signed, keys.private, **how)
        refusal(signed, keys, "not SHA-256 of whole files")

    @pytest.mark.parametrize(
        ("edit", "says"),
        [
            (lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]), "listed twice"),
            (lambda s: s["predicate"]["resources"].clear(), "does not cover card.json"),
            (lambda s: s["predicate"]["resources"][0].update(name="./card.json"), "does not cover card.json"),
            (lambda s: s["predicate"]["resources"][0].update(digest=3), "not a name and a SHA-256"),
            (lambda s: s["predicate"].update(resources={}), "not a list"),
            (lambda s: s.update(predicate=None), "predicate"),
            (lambda s: s.update(predicateType="https://model_signing/Digests/v0.1"), "version 1.0"),
            (lambda s: s.update(_type="x"), "version 1.0"),
            (lambda s: s["subject"][0]["digest"].update(sha256="0" * 64), "not a valid signature"),
            (lambda s: s.update(subject=[]), "not a valid signature"),
            (lambda s: s.update(subject=3), "not a valid signature"),
            (
                lambda s: s["predicate"]["serialization"].update(ignore_paths=["card.json"]),
                "not a valid signature",
            ),
            (lambda s: s["predicate"]["serialization"].pop("allow_symlinks"), "not a valid signature"),
        ],
    )
    def test_a_genuine_signature_over_an_odd_statement(
        self, signed: Path, keys: KeyPair, edit: Edit, says: str
    ) -> None:
        edit_statement(signed / "card.sig", keys.private, edit)
        refusal(signed, keys, says)

    @pytest.mark.parametrize("payload", [b"[]", b"3", b"{}", b"x", b'{"_type": NaN}', b"[" * 5000, b"\xff"])
    def test_a_genuine_signature_over_no_statement(self, signed: Path, keys: KeyPair, payload: bytes) -> None:
        edit_bundle(signed / "card.sig", lambda bundle: sign_payload(bundle, keys.private, payload))
        refusal(signed, keys, "no usable signature")


class TestOtherSigners:
    def test_another_key(self, signed: Path, other_keys: KeyPair) -> None:
        refusal(signed, other_keys, "was not made by the key", "with another key")

    def test_another_key_that_claims_to_be_this_one(
        self, signed: Path, keys: KeyPair, other_keys: KeyPair
    ) -> None:
        hint = json.loads((signed / "card.sig").read_bytes())["verificationMaterial"]
        sign(signed, other_keys.private, force=True)
        edit_bundle(signed / "card.sig", lambda bundle: bundle.update(verificationMaterial=hint))
        refusal(signed, keys, "not a valid signature by the key")

    def test_a_key_signature_is_none_by_a_sigstore_identity(self, signed: Path) -> None:
        with pytest.raises(IntegrityError, match=r"was not made by me@example\.org of https://issuer"):
            verify(signed, "sigstore:me@example.org@https://issuer")

    def test_sigstore_out_of_reach_leaves_the_question_open(self, signed: Path) -> None:
        """No network here: that a genuine one passes is not tested."""
        edit_bundle(
            signed / "card.sig",
            lambda bundle: bundle.update(verificationMaterial={"certificate": {"rawBytes": "AA=="}}),
        )
        with pytest.raises((InconclusiveError, IntegrityError)) as caught:
            verify(signed, "sigstore:me@example.org@https://issuer.invalid")
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        "material",
        [
            {},
            {"publicKey": {}},
            {"publicKey": {"hint": None}},
            {"publicKey": {"hint": ""}},
            {"publicKey": []},
            {"publicKey": {"hint": "x"}, "certificate": {"rawBytes": "AA=="}},
            {"x509CertificateChain": {"certificates": []}, "tlogEntries": []},
        ],
    )
    def test_a_signature_that_names_no_key(
        self, signed: Path, keys: KeyPair, material: object, capfd: pytest.CaptureFixture[str]
    ) -> None:
        edit_bundle(signed / "card.sig", lambda bundle: bundle.update(verificationMaterial=material))
        refusal(signed, keys, "was not made by")
        assert capfd.readouterr() == ("", "")


class TestDamagedSignatures:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b"NaN",
            b"\x00" * 100,
            b"not JSON",
            b'{"mediaType": NaN}',
            b'{"a": 1, "a": 1}',
            b"[" * 100_000,
            b"[" + b"0," * 100_000 + b"0]",
            b'{"mediaType": ' + b"9" * 10_000 + b"}",
            b" " * (256 << 10) + b"{}",
            b"\xef\xbb\xbf{}",
            b'"\\ud800"',
        ],
    )
    def test_no_signature_at_all(self, signed: Path, keys: KeyPair, data: bytes) -> None:
        (signed / "card.sig").write_bytes(data)
        refusal(signed, keys, "no usable signature")

    def test_every_truncation(self, signed: Path, keys: KeyPair) -> None:
        data = (signed / "card.sig").read_bytes()
        for length in range(0, len(data), 37):
            (signed / "card.sig").write_bytes(data[:length])
            refusal(signed, keys)

    def test_an_endless_one_is_not_read(self, signed: Path, keys: KeyPair) -> None:
        (signed / "card.sig").unlink()
        with (signed / "card.sig").open("wb") as file:
            file.truncate(1 << 40)
        refusal(signed, keys, "bytes; it may have 1 to")

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
    def test_no_regular_file(self, signed: Path, keys: KeyPair, make: Callable[[Path], object]) -> None:
        (signed / "card.sig").unlink()
        make(signed / "card.sig")
        refusal(signed, keys, "not a regular file")

    @pytest.mark.parametrize(
        "edit",
        [
            lambda b: b.update(mediaType="application/json"),
            lambda b: b.update(more=1),
            lambda b: b.pop("dsseEnvelope"),
            lambda b: b.update(dsseEnvelope=[]),
            lambda b: b["dsseEnvelope"].update(signatures=[]),
            lambda b: b["dsseEnvelope"].update(signatures=b["dsseEnvelope"]["signatures"] * 2),
            lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AAAA"),
            lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="%"),
            lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=7),
            lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid="mine"),
            lambda b: b["dsseEnvelope"].update(payloadType="text/plain"),
            lambda b: b["dsseEnvelope"].update(payload=b["dsseEnvelope"]["payload"] + "\n"),
            lambda b: b["dsseEnvelope"].update(payload="e30="),
        ],
    )
    def test_an_edited_bundle(self, signed: Path, keys: KeyPair, edit: Edit) -> None:
        edit_bundle(signed / "card.sig", edit)
        refusal(signed, keys)


class TestUsage:
    def test_a_damaged_card_is_named_as_such(self, signed: Path, keys: KeyPair) -> None:
        (signed / "card.safetensors").write_bytes(b"x")
        with pytest.raises(CardError, match=r"card\.safetensors"):
            load_signed_card(signed, keys.public)

    def test_no_card(self, tmp_path: Path, keys: KeyPair) -> None:
        with pytest.raises(CardNotFoundError):
            load_signed_card(tmp_path, keys.public)

    @pytest.mark.parametrize(
        ("signer", "says"),
        [
            ("", "no signer is named"),
            ("missing.pub", "the file is missing"),
            ("sigstore:me@example.org", "not a Sigstore signer"),
            ("sigstore:@https://issuer", "not a Sigstore signer"),
            ("sigstore:me@http://issuer", "not a Sigstore signer"),
        ],
    )
    def test_an_unusable_signer(self, signed: Path, signer: str, says: str) -> None:
        with pytest.raises(UsageError, match=says) as caught:
            verify(signed, signer)
        assert caught.value.exit_status == 2

    def test_without_the_extra_it_says_what_to_install(
        self, signed: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "model_signing.verifying", None)
        for call in (lambda: verify(signed, keys.public), lambda: sign(signed, keys.private)):
            with pytest.raises(UsageError, match=r"pip install 'pytest-sslauth\[sign\]'"):
                call()
