"""The files of an encoder by name, keys, and an attestation of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_integration.attestation import AttestedFiles, attest, files_of
from hf_integration.signing.envelope import seal, unseal
from hf_integration.signing.keys import read_private_key, read_public_key
from hf_integration.snapshot import Snapshot
from tests.report.verdicts import AUTHENTIC
from tests.signing.conftest import keys, other_keys
from tests.signing.keys import KeyPair

__all__ = ["keys", "other_keys"]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an encoder is loaded from, and something else."""
    folder = tmp_path_factory.mktemp("attested") / "encoder"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md", ".hidden.json"):
        (folder / name).write_text(f'{{"of": "{name}"}}')
    return folder


@pytest.fixture(scope="session")
def files(encoder: Path) -> AttestedFiles:
    return files_of(Snapshot(encoder), "encoder")


@pytest.fixture
def attestation(tmp_path: Path, keys: KeyPair, files: AttestedFiles) -> Path:
    file = tmp_path / "encoder.svr.json"
    file.write_bytes(attest(AUTHENTIC, files, read_private_key(keys.private)[0]))
    return file


@pytest.fixture
def sign_edited(attestation: Path, keys: KeyPair) -> Callable[[Callable[[Any], object]], Path]:
    """Edits the statement and signs it again with the same key, as its holder could."""

    def edited(edit: Callable[[Any], object]) -> Path:
        statement = json.loads(unseal(attestation.read_bytes(), read_public_key(keys.public)))
        edit(statement)
        attestation.write_bytes(seal(json.dumps(statement).encode(), read_private_key(keys.private)[0]))
        return attestation

    return edited
