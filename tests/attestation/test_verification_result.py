"""What is attested: an in-toto Statement v1 with a Simple Verification Result, never more than was found."""

import base64
import hashlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hf_integration.attestation import AttestedFiles, attest, files_of
from hf_integration.attestation.verification_result import properties_of
from hf_integration.signing.keys import read_private_key
from hf_integration.snapshot import Snapshot
from hf_integration.verdict import KeySamplesRun, Verdict
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE, WAIVED
from tests.signing.keys import KeyPair


def statement_of(data: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(data)["payload"]))


def test_it_has_the_fields_of_the_specification_in_their_form(files: AttestedFiles, keys: KeyPair) -> None:
    at = datetime(2030, 1, 31, 12, tzinfo=UTC)
    policies = {"sslauth.toml": "12" * 32}
    key = read_private_key(keys.private)[0]
    statement = statement_of(attest(AUTHENTIC, files, key, policies=policies, now=at))
    verdict = statement["predicate"].pop("sslauthVerdict")
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "encoder", "digest": {"sha256": files.digest}},
            *({"name": name, "digest": {"sha256": digest}} for name, digest in files.digests.items()),
        ],
        "predicateType": "https://in-toto.io/attestation/svr/v0.2",
        "predicate": {
            "verifier": {
                "id": "https://github.com/pytest-sslauth/pytest-sslauth/attestation/v1",
                "policies": [
                    {"name": "card.json", "digest": {"sha256": "ab" * 32}},
                    {"name": "sslauth.toml", "digest": {"sha256": "12" * 32}},
                ],
            },
            "timeCreated": "2030-01-31T12:00:00Z",
            "properties": ["SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES"],
        },
    }
    assert Verdict.from_dict(verdict) == AUTHENTIC


def test_files_are_those_that_an_encoder_is_loaded_from_with_their_sha256(
    files: AttestedFiles, encoder: Path
) -> None:
    names = ["config.json", "model.safetensors", "tokenizer.json"]
    assert files.digests == {
        name: hashlib.sha256((encoder / name).read_bytes()).hexdigest() for name in names
    }


def test_all_of_them_have_the_digest_by_which_model_signing_names_a_model(
    tmp_path: Path, keys: KeyPair
) -> None:
    pytest.importorskip("model_signing")
    from model_signing import signing

    # a folder sorts before what begins like it, and after it in plain order of characters
    for name in ("config.json", "model.safetensors", "a/config.json", "a-b/config.json", "modules.json"):
        file = tmp_path / "encoder" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(name)
    (tmp_path / "encoder/modules.json").write_text('[{"path": "a"}, {"path": "a-b"}]')
    signature = tmp_path / "model.sig"
    signing.Config().use_elliptic_key_signer(private_key=keys.private).sign(tmp_path / "encoder", signature)
    (subject,) = json.loads(base64.b64decode(json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]))[
        "subject"
    ]
    files = files_of(Snapshot(tmp_path / "encoder"), "encoder")
    assert list(files.digests) != sorted(files.digests)
    assert (subject["name"], subject["digest"]) == ("encoder", {"sha256": files.digest})


def test_a_hub_repository_is_named_by_its_package_url(encoder: Path, keys: KeyPair, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(encoder, tmp_path / "copy"))
    snapshot = Snapshot(copy, repo="Org/Name_1.x", commit="AB" * 20, files=("config.json", ".hidden.json"))
    data = attest(AUTHENTIC, files_of(snapshot, "mine"), read_private_key(keys.private)[0])
    first, *rest = statement_of(data)["subject"]
    assert (first["name"], first["uri"]) == ("mine", f"pkg:huggingface/Org/Name_1.x@{'ab' * 20}")
    assert [file["name"] for file in rest] == ["config.json"]


@pytest.mark.parametrize(
    "verdict", [ALTERED, INCONCLUSIVE, WAIVED], ids=["altered", "inconclusive", "waived"]
)
@pytest.mark.parametrize("trust", ["pinned", "signed", "local", "self-asserted"])
def test_nothing_is_found_good_of_what_is_not_authentic(
    verdict: Verdict, trust: Any, files: AttestedFiles, keys: KeyPair
) -> None:
    attested = replace(verdict, trust=trust)
    predicate = statement_of(attest(attested, files, read_private_key(keys.private)[0]))["predicate"]
    assert predicate["properties"] == []
    assert predicate["sslauthVerdict"]["status"] == verdict.status


@pytest.mark.parametrize(
    ("changes", "properties"),
    [
        ({"trust": "local"}, ("SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES")),
        ({"trust": "self-asserted"}, ("SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES")),
        ({"trust": "pinned"}, ("SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES", "SSLAUTH_CARD_PINNED")),
        ({"trust": "signed"}, ("SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES", "SSLAUTH_CARD_SIGNED")),
        (
            {"trust": "pinned", "signers": ("the key a.pub",)},
            ("SSLAUTH_AUTHENTIC", "SSLAUTH_ALL_KEY_SAMPLES", "SSLAUTH_CARD_PINNED", "SSLAUTH_CARD_SIGNED"),
        ),
        ({"key_samples": KeySamplesRun(8, 24)}, ("SSLAUTH_AUTHENTIC",)),
    ],
)
def test_what_is_found_good_of_an_authentic_one(changes: Any, properties: tuple[str, ...]) -> None:
    assert properties_of(replace(AUTHENTIC, **changes)) == properties
