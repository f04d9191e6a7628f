"""Reading attestations: only what the key's holder signed, only what fits together, only of these files."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hf_integration.attestation import AttestedFiles, attest, check_files, read_attestation
from hf_integration.base.errors import IntegrityError, SSLAuthError, UsageError
from hf_integration.signing.envelope import unseal
from hf_integration.signing.keys import read_private_key, read_public_key
from hf_integration.verdict import Verdict
from tests.report.verdicts import ALTERED, AUTHENTIC, INCONCLUSIVE, WAIVED
from tests.signing.keys import KeyPair, make_keys

SignEdited = Callable[[Callable[[Any], object]], Path]


def refusal(file: Path, key: Path) -> str:
    with pytest.raises(IntegrityError) as caught:
        read_attestation(file, key)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 1000
    return said


@pytest.mark.parametrize("verdict", [AUTHENTIC, ALTERED, INCONCLUSIVE, WAIVED])
def test_what_was_attested_is_read_again(
    verdict: Verdict, files: AttestedFiles, keys: KeyPair, tmp_path: Path
) -> None:
    file = tmp_path / "attestation.json"
    file.write_bytes(attest(verdict, files, read_private_key(keys.private)[0], policies={"p": "12" * 32}))
    found = read_attestation(file, keys.public)
    assert (found.verdict, found.files) == (verdict, files)
    assert found.policies == {"card.json": "ab" * 32, "p": "12" * 32}
    assert ("SSLAUTH_AUTHENTIC" in found.properties) == (verdict.status == "authentic")


@pytest.mark.parametrize("bits", [256, 384])  # it pairs P-521 with another hash than Sigstore does
def test_another_implementation_of_dsse_accepts_the_envelope_and_refuses_a_changed_one(
    bits: int, files: AttestedFiles, tmp_path: Path
) -> None:
    dsse = pytest.importorskip("securesystemslib.dsse")
    signer = pytest.importorskip("securesystemslib.signer")

    curve = {256: ec.SECP256R1(), 384: ec.SECP384R1()}[bits]
    pair = make_keys(tmp_path, key=ec.generate_private_key(curve))
    data = attest(AUTHENTIC, files, read_private_key(pair.private)[0])
    key = signer.SSlibKey.from_crypto(read_public_key(pair.public), scheme=f"ecdsa-sha2-nistp{bits}")
    key.keyid = json.loads(data)["signatures"][0]["keyid"]
    dsse.Envelope.from_dict(json.loads(data)).verify([key], 1)
    changed = json.loads(data)
    changed["payload"] = "AAAA" + changed["payload"][4:]
    with pytest.raises(Exception, match="signature"):
        dsse.Envelope.from_dict(changed).verify([key], 1)


def test_a_key_on_p_521_signs_as_well(files: AttestedFiles, tmp_path: Path) -> None:
    pair = make_keys(tmp_path, key=ec.generate_private_key(ec.SECP521R1()))
    file = tmp_path / "attestation.json"
    file.write_bytes(attest(AUTHENTIC, files, read_private_key(pair.private)[0]))
    assert read_attestation(file, pair.public).verdict == AUTHENTIC


def test_every_mutated_byte_of_the_envelope_is_refused(attestation: Path, keys: KeyPair) -> None:
    data, key = attestation.read_bytes(), read_public_key(keys.public)
    accepted = []
    for place in range(len(data)):
        for flipped in (0x01, 0x20, 0xFF):
            mutated = bytearray(data)
            mutated[place] ^= flipped
            try:
                unseal(bytes(mutated), key)
            except ValueError:  # a flaw
                continue
            accepted.append((place, flipped))
    assert not accepted
    assert unseal(data, key)


def test_every_cut_of_the_envelope_is_refused_in_one_line(attestation: Path, keys: KeyPair) -> None:
    data = attestation.read_bytes()
    for length in {1, 2, len(data) - 1, *range(3, len(data), 97)}:
        attestation.write_bytes(data[:length])
        refusal(attestation, keys.public)


def test_an_attestation_by_another_key_is_refused(attestation: Path, other_keys: KeyPair) -> None:
    assert "signed with another key" in refusal(attestation, other_keys.public)


def test_the_name_of_the_right_key_does_not_help_a_wrong_one(
    attestation: Path, keys: KeyPair, other_keys: KeyPair, files: AttestedFiles
) -> None:
    right = json.loads(attestation.read_bytes())["signatures"][0]["keyid"]
    forged = json.loads(attest(AUTHENTIC, files, read_private_key(other_keys.private)[0]))
    forged["signatures"][0]["keyid"] = right
    attestation.write_text(json.dumps(forged))
    assert "its signature is not valid" in refusal(attestation, keys.public)


ENVELOPES: dict[str, Any] = {
    **{f"no {key}": lambda e, key=key: e.pop(key) for key in ("payload", "payloadType", "signatures")},
    **{f"no signatures[0].{key}": lambda e, key=key: e["signatures"][0].pop(key) for key in ("keyid", "sig")},
    "another field": lambda e: e.update(more=1),
    "another type": lambda e: e.update(payloadType="application/json"),
    "no signature": lambda e: e.update(signatures=[]),
    "two signatures": lambda e: e["signatures"].append(e["signatures"][0]),
    "signatures that are none": lambda e: e.update(signatures=["sig"]),
    "a payload of numbers": lambda e: e.update(payload=[1, 2]),
    "a signature of nothing": lambda e: e["signatures"][0].update(sig=""),
}


@pytest.mark.parametrize("edit", ENVELOPES.values(), ids=ENVELOPES)
def test_a_hostile_envelope_is_refused_in_one_line(
    edit: Callable[[Any], object], attestation: Path, keys: KeyPair
) -> None:
    envelope = json.loads(attestation.read_bytes())
    edit(envelope)
    attestation.write_text(json.dumps(envelope))
    refusal(attestation, keys.public)


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 1e300, "", "\x1b[2J", "\u202e", "x" * 5000, [], [[]], {}, {"\x1b": 1}, "../../etc/passwd",
)  # fmt: skip


def fields_of(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where every field of a statement is; of the verdict the first level is enough."""
    members = (
        enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    )
    for key, member in members:
        yield (*at, key)
        if "sslauthVerdict" not in at:
            yield from fields_of(member, (*at, key))


def named(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def holder(statement: Any, path: tuple[str | int, ...]) -> Any:
    for key in path[:-1]:
        statement = statement[key]
    return statement


def drop(statement: Any, path: tuple[str | int, ...]) -> None:
    holder(statement, path).pop(path[-1])


def put(statement: Any, path: tuple[str | int, ...], value: Any) -> None:
    holder(statement, path)[path[-1]] = value


REQUIRED_OF_A_VERDICT = {
    "schema", "status", "reason", "trust", "encoder", "revision", "card", "precision", "margin", "strips",
    "tensors", "files",
}  # fmt: skip


def test_each_missing_field_is_refused_in_one_line_that_names_it(
    sign_edited: SignEdited, attestation: Path, keys: KeyPair
) -> None:
    before = attestation.read_bytes()
    statement = json.loads(unseal(before, read_public_key(keys.public)))
    missing = [path for path in fields_of(statement) if isinstance(path[-1], str)]
    assert len(missing) > 30
    for path in missing:
        if "sslauthVerdict" in path[:-1] and path[-1] not in REQUIRED_OF_A_VERDICT:
            continue
        attestation.write_bytes(before)
        sign_edited(partial(drop, path=path))
        said = refusal(attestation, keys.public)
        assert str(path[-1]) in said or "_type" in said, (named(path), said)


def test_each_hostile_field_is_refused_in_one_line(
    sign_edited: SignEdited, attestation: Path, keys: KeyPair
) -> None:
    before = attestation.read_bytes()
    statement = json.loads(unseal(before, read_public_key(keys.public)))
    # a name or the list of policies may be any of their type, and most of a verdict is for people
    free = ("name", "policies")
    told = ("schema", "status", "trust", "card", "precision", "strips", "tensors", "files")
    tried = 0
    for path in fields_of(statement):
        if path[-1] in free or (path[-2:-1] == ("sslauthVerdict",) and path[-1] not in told):
            continue
        for value in HOSTILE:
            attestation.write_bytes(before)
            if holder(statement, path)[path[-1]] == value or (path[-1] == "strips" and value == []):
                continue
            sign_edited(partial(put, path=path, value=value))
            refusal(attestation, keys.public)
            tried += 1
    assert tried > 300


@pytest.mark.parametrize("name", ["/etc/passwd", "../config.json", "a/../config.json", "./a", "", "a\nb", 3])
def test_a_name_that_is_no_file_of_an_encoder_is_refused(
    name: Any, sign_edited: SignEdited, keys: KeyPair
) -> None:
    refusal(sign_edited(lambda statement: statement["subject"][1].update(name=name)), keys.public)


CONTRADICTIONS: dict[str, Callable[[Any], object]] = {
    "altered and good": lambda s: s["predicate"]["sslauthVerdict"].update(status="altered"),
    "authentic and not good": lambda s: s["predicate"].update(properties=[]),
    "more than was found": lambda s: s["predicate"]["properties"].append("SSLAUTH_CARD_PINNED"),
    "the same file twice": lambda s: s["subject"].append(s["subject"][1]),
    "a file less": lambda s: s["subject"].pop(),
    "another file": lambda s: s["subject"][1]["digest"].update(sha256="00" * 32),
    "no file": lambda s: s.update(subject=s["subject"][:1]),
    "another verifier": lambda s: s["predicate"]["verifier"].update(id="https://example.com/v1"),
    "version 0.1": lambda s: s.update(predicateType="https://in-toto.io/attestation/svr/v0.1"),
    "a later verdict": lambda s: s["predicate"]["sslauthVerdict"].update(schema=2),
    "no day": lambda s: s["predicate"].update(timeCreated="2030-02-31T12:00:00Z"),
    "another time zone": lambda s: s["predicate"].update(timeCreated="2030-01-31T12:00:00+01:00"),
}


@pytest.mark.parametrize("edit", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_statement_that_contradicts_itself_is_refused(
    edit: Callable[[Any], object], sign_edited: SignEdited, keys: KeyPair
) -> None:
    refusal(sign_edited(edit), keys.public)


def test_fields_that_are_not_known_are_ignored_as_the_specification_asks(
    sign_edited: SignEdited, keys: KeyPair
) -> None:
    def extend(statement: Any) -> None:
        for place in (statement, statement["subject"][1], statement["predicate"]):
            place["exampleCom"] = {"more": copy.deepcopy(HOSTILE[:5])}

    assert read_attestation(sign_edited(extend), keys.public).verdict == AUTHENTIC


def test_what_is_not_there_or_too_large_is_wrong_usage(attestation: Path, keys: KeyPair) -> None:
    for file in (attestation.parent, attestation.parent / "missing", Path("a\0b")):
        with pytest.raises(UsageError):
            read_attestation(file, keys.public)
    attestation.write_bytes(b"")
    with pytest.raises(UsageError, match="0 bytes"):
        read_attestation(attestation, keys.public)
    with pytest.raises(UsageError, match="private key"):
        read_attestation(attestation, keys.private)


class TestFiles:
    """The files of a folder against those that were attested."""

    def test_the_same_files_fit_wherever_they_are(
        self, attestation: Path, keys: KeyPair, encoder: Path, tmp_path: Path
    ) -> None:
        found = read_attestation(attestation, keys.public)
        assert check_files(found, encoder) == 3
        (tmp_path / "linked").mkdir()
        for file in encoder.iterdir():
            (tmp_path / "linked" / file.name).symlink_to(file)
        assert check_files(found, tmp_path / "linked") == 3

    def test_every_mutated_byte_of_every_file_is_refused(
        self, attestation: Path, keys: KeyPair, encoder: Path, tmp_path: Path
    ) -> None:
        found = read_attestation(attestation, keys.public)
        copied = Path(shutil.copytree(encoder, tmp_path / "copy"))
        for name in found.files.digests:
            data = (copied / name).read_bytes()
            for place in range(len(data)):
                mutated = bytearray(data)
                mutated[place] ^= 1
                (copied / name).write_bytes(mutated)
                with pytest.raises(IntegrityError, match="is not the file that was attested"):
                    check_files(found, copied)
            (copied / name).write_bytes(data)
        assert check_files(found, copied) == 3

    def test_files_that_changed_their_names_are_refused_although_all_digests_are_there(
        self, attestation: Path, keys: KeyPair, encoder: Path, tmp_path: Path
    ) -> None:
        copied = Path(shutil.copytree(encoder, tmp_path / "copy"))
        (copied / "tokenizer.json").rename(copied / "other.json")
        with pytest.raises(IntegrityError, match=r"other\.json"):
            check_files(read_attestation(attestation, keys.public), copied)

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
    def test_a_missing_file_is_refused(
        self, attestation: Path, keys: KeyPair, encoder: Path, tmp_path: Path, name: str
    ) -> None:
        copied = Path(shutil.copytree(encoder, tmp_path / "copy"))
        (copied / name).unlink()
        with pytest.raises(IntegrityError, match="was attested, and is missing"):
            check_files(read_attestation(attestation, keys.public), copied)

    def test_a_file_more_that_would_be_loaded_is_refused_and_another_is_not(
        self, attestation: Path, keys: KeyPair, encoder: Path, tmp_path: Path
    ) -> None:
        copied = Path(shutil.copytree(encoder, tmp_path / "copy"))
        found = read_attestation(attestation, keys.public)
        (copied / "notes.md").write_text("of no use")
        assert check_files(found, copied) == 3
        (copied / "added_tokens.json").write_text("{}")
        with pytest.raises(IntegrityError, match=r"added_tokens\.json in .* was not attested"):
            check_files(found, copied)

    def test_a_folder_without_an_encoder_is_refused(
        self, attestation: Path, keys: KeyPair, tmp_path: Path
    ) -> None:
        with pytest.raises(SSLAuthError):
            check_files(read_attestation(attestation, keys.public), tmp_path)
