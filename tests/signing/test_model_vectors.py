"""Signatures that releases of model-signing made: all verify, and nothing of them may be changed.

Those that Sigstore vouches for are genuine, and are checked without a network.
"""

import copy
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hf_integration.base.errors import IntegrityError
from hf_integration.signing import CertificateSigner, KeySigner, Publisher, SigstoreSigner, check_model
from tests.signing.keys import KeyPair

pytest.importorskip("model_signing.verifying")

VECTORS = Path(__file__).parent / "vectors"
FOLDERS = sorted(folder for folder in VECTORS.glob("v*"))
NAMES = [folder.name for folder in FOLDERS]
IDENTITY, ISSUER = "stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2"

pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # of cryptography, about damaged certificates


def publisher_of(name: str) -> Publisher:
    if name.endswith("-elliptic-key"):
        return KeySigner(VECTORS / "keys" / "signing-key-pub.pem")
    if name.endswith("-certificate"):
        return CertificateSigner(VECTORS / "keys" / "ca-cert.pem")
    return SigstoreSigner(IDENTITY, ISSUER)


@pytest.fixture
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(VECTORS / request.param, tmp_path / "model"))


def refused(folder: Path, publisher: Publisher) -> bool:
    said = ""
    try:
        check_model(folder, publisher)
    except IntegrityError as error:
        said = str(error)
    assert said.isprintable()
    return said != ""


def test_all_of_the_thirteen_are_here() -> None:
    assert len(FOLDERS) == 13
    assert {name.split("-")[0] for name in NAMES} == {"v0.2.0", "v0.3.1", "v1.0.0", "v1.0.1", "v1.1.0"}


@pytest.mark.parametrize("name", NAMES)
def test_each_verifies(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    signed = check_model(VECTORS / name, publisher_of(name), needed=["signme-1"])
    assert signed.files <= {"signme-1", "signme-2"}
    assert capfd.readouterr().out == ""  # the library prints a warning of older forms


@pytest.mark.parametrize("copied", NAMES, indirect=True, ids=NAMES)
def test_every_mutated_byte_of_every_signed_file_is_refused(copied: Path, request: Any) -> None:
    publisher = publisher_of(request.node.callspec.params["copied"])
    tried = 0
    for name in check_model(copied, publisher).files:
        data = (copied / name).read_bytes()
        for place in range(len(data)):
            (copied / name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert refused(copied, publisher), (name, place)
            tried += 1
        (copied / name).write_bytes(data)
    assert tried >= 8
    assert not refused(copied, publisher)


def meaning(data: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(data)
    return None


STRIDE = 11
"""Each of the bytes was tried while this was written, with two changes each, which takes ten minutes."""


@pytest.mark.parametrize("copied", NAMES, indirect=True, ids=NAMES)
def test_mutated_bytes_of_the_signature_are_refused(copied: Path, request: Any) -> None:
    name = request.node.callspec.params["copied"]
    publisher, file = publisher_of(name), copied / "model.sig"
    data = file.read_bytes()
    stamped = data.find(b"signedTimestamp")  # what of it is signed by nobody is left to the next test
    stride = STRIDE if not name.endswith("-sigstore") else 3 * STRIDE
    for place in range(0, stamped if stamped > 0 else len(data), stride):
        mutated = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        if meaning(mutated) != meaning(data):  # blanks between values say nothing
            file.write_bytes(mutated)
            assert refused(copied, publisher), (name, place)


def test_of_a_time_stamp_only_what_its_authority_did_not_sign_can_be_changed(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(VECTORS / "v1.1.0-sigstore", tmp_path / "model"))
    publisher, file = publisher_of(folder.name + "-sigstore"), folder / "model.sig"
    bundle = json.loads(file.read_bytes())
    (stamp,) = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    whole = stamp["signedTimestamp"]
    accepted = []
    for place in range(0, len(whole), 5):
        stamp["signedTimestamp"] = whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :]
        file.write_text(json.dumps(bundle))
        if not refused(folder, publisher):
            accepted.append(place)
    assert len(accepted) <= len(whole) / 5 * 0.01


Path_ = tuple[str | int, ...]


def fields_of(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    members = (
        enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    )
    for key, member in members:
        yield (*at, key)
        yield from fields_of(member, (*at, key))


def holder(bundle: Any, path: Path_) -> Any:
    for key in path[:-1]:
        bundle = bundle[key]
    return bundle


_OPTIONAL = {"keyid", "tlogEntries", "timestampVerificationData"}
"""What some releases write empty and others leave out."""

_ONE_OF_TWO = {"integratedTime", "inclusionPromise", "timestampVerificationData", "rfc3161Timestamps"}
"""A time by the log or by an authority, a promise or a proof by the log: what is left has to be true."""


@pytest.mark.parametrize("copied", NAMES, indirect=True, ids=NAMES)
def test_each_missing_and_each_hostile_field_is_refused(copied: Path, request: Any) -> None:
    name = request.node.callspec.params["copied"]
    publisher, file = publisher_of(name), copied / "model.sig"
    bundle = json.loads(file.read_bytes())
    fields = list(fields_of(bundle))
    assert len(fields) >= 10

    def attempt(path: Path_, *value: Any) -> bool:
        """Whether the bundle is refused with another value there, or with none."""
        edited = copy.deepcopy(bundle)
        held = holder(edited, path)
        if value:
            held[path[-1]] = value[0]
        else:
            held.pop(path[-1])
        file.write_text(json.dumps(edited))
        return refused(copied, publisher)

    for path in fields:
        written = holder(bundle, path)[path[-1]]
        if path[-1] in _OPTIONAL and not written:
            continue
        if not _ONE_OF_TWO.intersection(map(str, path)):
            assert attempt(path), (path, "left out")
        for value in ("", "x", 7, [1], {"a": 1}, "\x1b[2J", None):
            if value != written and not (value is None and path[-1] in _ONE_OF_TWO):
                assert attempt(path, value), (path, value)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_refused_of_somebody_else_and_in_another_way(name: str, keys: KeyPair) -> None:
    others: list[Publisher] = [
        KeySigner(keys.public),
        SigstoreSigner("somebody@example.com", ISSUER),
        SigstoreSigner(IDENTITY, "https://example.com"),
        *(publisher_of(kind) for kind in ("-elliptic-key", "-certificate", "-sigstore")),
    ]
    right = publisher_of(name)
    assert all(refused(VECTORS / name, other) for other in others if other != right)
