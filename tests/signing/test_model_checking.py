"""What a publisher's signature has to cover, and what it is refused for; made with model-signing itself."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import IntegrityError, SSLAuthError, UsageError
from hf_integration.signing import CertificateSigner, KeySigner, SigstoreSigner, check_model, publisher_from
from tests.signing.keys import KeyPair
from tests.signing.model_signatures import sign_model, state_model

pytest.importorskip("model_signing.verifying")

NEEDED = ("config.json", "model.safetensors", "sub/config.json")


@pytest.fixture
def model(tmp_path: Path, keys: KeyPair) -> Path:
    folder = tmp_path / "model"
    for name in (*NEEDED, "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"of {name}" * 50)
    sign_model(folder, keys.private)
    return folder


def refusal(folder: Path, keys: KeyPair, needed: tuple[str, ...] = NEEDED) -> str:
    with pytest.raises(IntegrityError) as caught:
        check_model(folder, KeySigner(keys.public), needed=needed)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_what_was_signed_is_told(model: Path, keys: KeyPair) -> None:
    assert check_model(model, KeySigner(keys.public), needed=NEEDED).files == {*NEEDED, "README.md"}


@pytest.mark.parametrize(
    "how",
    [
        {"hashing_algorithm": "sha256"},
        {"hashing_algorithm": "blake2"},
        {"hashing_algorithm": "blake3"},
        {"hashing_algorithm": "sha256", "shard_size": 100},
        {"hashing_algorithm": "blake2", "shard_size": 64},
    ],
    ids=str,
)
def test_every_way_in_which_files_are_hashed_is_checked(model: Path, keys: KeyPair, how: Any) -> None:
    sign_model(model, keys.private, **how)
    assert check_model(model, KeySigner(keys.public), needed=NEEDED).files == {*NEEDED, "README.md"}
    data = (model / "sub/config.json").read_bytes()
    for changed in (data[:-1], data + b"x", b"x" + data[1:], data[:150] + b"X" + data[151:], b""):
        (model / "sub/config.json").write_bytes(changed)
        assert "sub/config.json is not the file that was signed" in refusal(model, keys)


def test_a_file_that_is_needed_and_was_not_signed_is_refused(model: Path, keys: KeyPair) -> None:
    (model / "tokenizer.json").write_text("{}")
    assert check_model(model, KeySigner(keys.public), needed=NEEDED)
    assert "does not cover tokenizer.json" in refusal(model, keys, (*NEEDED, "tokenizer.json"))


def test_a_file_that_is_needed_and_was_left_out_by_the_signer_is_refused(model: Path, keys: KeyPair) -> None:
    sign_model(model, keys.private, ignoring=("config.json",))
    assert "does not cover config.json" in refusal(model, keys)


def test_a_signed_file_that_is_needed_and_missing_is_refused_and_another_is_not(
    model: Path, keys: KeyPair
) -> None:
    (model / "README.md").unlink()
    assert check_model(model, KeySigner(keys.public), needed=NEEDED)
    (model / "config.json").unlink()
    assert "config.json is missing" in refusal(model, keys)


def test_a_changed_file_that_nobody_needs_is_refused(model: Path, keys: KeyPair) -> None:
    (model / "README.md").write_text("changed")
    assert "README.md is not the file that was signed" in refusal(model, keys)


def test_a_folder_without_any_signed_file_is_refused(model: Path, keys: KeyPair, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copy(model / "model.sig", tmp_path / "empty")
    assert "none of the files that were signed is here" in refusal(tmp_path / "empty", keys, ())


def test_links_are_followed_as_the_cache_of_the_hub_is_made_of_them(
    model: Path, keys: KeyPair, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    for name in (*NEEDED, "model.sig"):
        (linked / name).parent.mkdir(parents=True, exist_ok=True)
        (linked / name).symlink_to(model / name)
    assert check_model(linked, KeySigner(keys.public), needed=NEEDED)
    (model / "config.json").write_text("changed")
    assert "config.json is not the file" in refusal(linked, keys)


def test_a_missing_signature_and_one_that_is_none_are_refused(model: Path, keys: KeyPair) -> None:
    for content in (b"", b"{", b"[]", b"\xff", b"{}", b'{"a": ' * 5000, (b"x" * (17 << 20))):
        (model / "model.sig").write_bytes(content)
        assert "no usable signature" in refusal(model, keys)
    (model / "model.sig").unlink()
    assert "the file is missing" in refusal(model, keys)
    os.mkfifo(model / "model.sig")
    assert "not a regular file" in refusal(model, keys)


NAMES = ("/etc/passwd", "../config.json", "a/../b", "./config.json", "a//b", "", "a\\b", "a\nb", "a\0b", 7)

HOSTILE: dict[str, Any] = {
    **{f"a file called {name!r}": lambda s, name=name: resource(s).update(name=name) for name in NAMES},
    "a file twice": lambda s: s["predicate"]["resources"].append(resource(s)),
    "no files": lambda s: s["predicate"].update(resources=[]),
    "files that are none": lambda s: s["predicate"].update(resources=["config.json"]),
    "an unknown hash of files": lambda s: resources(s, algorithm="md5"),
    "an unknown hash": lambda s: s["predicate"]["serialization"].update(hash_type="md5"),
    "another hash": lambda s: s["predicate"]["serialization"].update(hash_type="blake3"),
    "two hashes": lambda s: resource(s).update(algorithm="blake2b"),
    "a short digest": lambda s: resource(s).update(digest="00"),
    "a digest in capitals": lambda s: resource(s).update(digest=resource(s)["digest"].upper()),
    "another digest": lambda s: resource(s).update(digest="00" * 32),
    "an unknown way of hashing": lambda s: s["predicate"].update(serialization={"method": "tensors"}),
    **{f"pieces of {size!r}": lambda s, size=size: shards(s, size) for size in (0, -1, 1.5, 1e300, "9", 9)},
    "a single file and others": lambda s: resource(s).update(name="."),
    "another kind of statement": lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
    "another predicate": lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
    "no subject": lambda s: s.update(subject=[]),
    "another digest of all": lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
    "something more": lambda s: s["predicate"].update(more=1),
}


def shards(statement: Any, size: Any) -> None:
    statement["predicate"]["serialization"].update(method="shards", shard_size=size)


def resource(statement: Any) -> Any:
    return statement["predicate"]["resources"][0]


def resources(statement: Any, **values: str) -> None:
    for one in statement["predicate"]["resources"]:
        one.update(values)


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_statement_is_refused_though_its_publisher_signed_it(
    edit: Callable[[Any], object], model: Path, keys: KeyPair
) -> None:
    state_model(model / "model.sig", keys.private, edit)
    refusal(model, keys)


def test_a_single_file_may_be_signed_and_nothing_else_is_then(
    model: Path, keys: KeyPair, tmp_path: Path
) -> None:
    from model_signing import signing

    signer = signing.Config().use_elliptic_key_signer(private_key=keys.private)
    signer.sign(model / "model.safetensors", model / "model.sig")
    assert check_model(model, KeySigner(keys.public)).files == {"model.safetensors"}
    assert "does not cover config.json" in refusal(model, keys)
    (model / "model.safetensors").write_text("changed")
    assert "model.safetensors is not the file that was signed" in refusal(model, keys, ())


def test_a_way_of_signing_that_nobody_knows_is_refused(model: Path, keys: KeyPair) -> None:
    bundle = json.loads((model / "model.sig").read_bytes())
    materials: Any = ({"pgp": "x"}, {}, [], None, {"publicKey": {"hint": "00"}, "certificate": {}})
    for material in materials:
        bundle["verificationMaterial"] = material
        (model / "model.sig").write_text(json.dumps(bundle))
        refusal(model, keys)


def test_a_publisher_who_cannot_be_known_is_wrong_usage(model: Path, keys: KeyPair, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key")
    for publisher in (
        KeySigner(tmp_path / "missing"),
        KeySigner(keys.private),
        KeySigner(tmp_path / "text"),
    ):
        with pytest.raises(UsageError):
            check_model(model, publisher)
    shutil.copytree(Path(__file__).parent / "vectors" / "v1.1.0-certificate", tmp_path / "certified")
    for roots in (tmp_path / "missing", tmp_path / "text", keys.public, Path("a\0b")):
        with pytest.raises(UsageError):
            check_model(tmp_path / "certified", CertificateSigner(roots))


def test_without_the_extra_nothing_is_checked_and_nothing_passes(
    model: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing.verifying", None)
    with pytest.raises(UsageError, match=r"pytest-sslauth\[sign\]"):
        check_model(model, KeySigner(keys.public))


def test_without_a_root_of_trust_sigstore_is_inconclusive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path(__file__).parent / "vectors" / "v1.1.0-sigstore", tmp_path / "model")
    monkeypatch.setattr("hf_integration.signing.model_material._SIGSTORE", "nowhere")
    with pytest.raises(SSLAuthError) as caught:
        check_model(
            tmp_path / "model", SigstoreSigner("stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2")
        )
    assert caught.value.exit_status != 0


@pytest.mark.parametrize(
    ("text", "publisher"),
    [
        ("key.pub", KeySigner(Path("key.pub"))),
        ("certificate:ca.pem", CertificateSigner(Path("ca.pem"))),
        ("sigstore:a@b.c@https://i", SigstoreSigner("a@b.c", "https://i")),
    ],
)
def test_a_publisher_is_named_by_a_file_or_an_identity(text: str, publisher: Any) -> None:
    assert publisher_from(text) == publisher


@pytest.mark.parametrize("text", ["", "certificate:", "certificate:sigstore:a@https://b", "sigstore:a", "  "])
def test_what_names_nobody_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError):
        publisher_from(text)
