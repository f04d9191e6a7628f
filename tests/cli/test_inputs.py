"""Neither --output nor --picture ever replaces what the command reads: refused before anything is written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended

Run = Callable[..., Ended]

PINS = """version = 1
[encoders.here]
path = "tiny"
card = "cards/tiny"
signer = "keys/key.pub"
"""

COMMANDS = {
    "lock --check --output sslauth.toml": "sslauth.toml",
    "lock --check --output ./cards/../sslauth.toml": "sslauth.toml",
    "lock --check --output cards/tiny/card.json": "cards/tiny/card.json",
    "lock --check --output keys/key.pub": "keys/key.pub",
    "verify tiny --output sslauth.toml": "sslauth.toml",
    "verify altered --card cards/tiny --picture sslauth.toml": "sslauth.toml",
    "verify here --output keys/key.pub": "keys/key.pub",
    "verify here --picture keys/key.pub": "keys/key.pub",
    "verify altered --card here --output keys/key.pub": "keys/key.pub",
    "verify altered --card cards/tiny --signer other.pub --output other.pub": "other.pub",
    "verify altered --card cards/tiny --signer other.pub --picture other.pub": "other.pub",
    "verify altered --card cards/tiny --picture new.png --output new.png": "new.png",
    "inspect here --output keys/key.pub": "keys/key.pub",
    "stress here --output keys/key.pub": "keys/key.pub",
    "stress altered --card cards/tiny --output sslauth.toml": "sslauth.toml",
    "add altered --output sslauth.toml": "sslauth.toml",
    "add altered --pool texts.txt --output texts.txt": "texts.txt",
    "mint tiny --out new --pool texts.txt --output texts.txt": "texts.txt",
    "mint tiny --out new --watermark mark.png --output mark.png": "mark.png",
    "sign cards/tiny --key key.pem --output key.pem": "key.pem",
    "sign cards/tiny --key key.pem --output hard.pem": "key.pem",
    "publish cards/tiny org/tiny --sign-key key.pem --output key.pem": "key.pem",
    "publish cards/tiny org/tiny --evaluation-results stress.json --output stress.json": "stress.json",
    "bundle here --out new --output keys/key.pub": "keys/key.pub",
    "bundle altered --out new --card cards/tiny --output cards/tiny/card.json": "cards/tiny/card.json",
    "bundle altered --out new --signer other.pub --output other.pub": "other.pub",
}


@pytest.fixture
def project(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encoder, its pin, and files of every kind that commands read; their content is never looked at."""
    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    Path("sslauth.toml").write_text(PINS)
    Path("keys").mkdir()
    for name in ("keys/key.pub", "other.pub", "key.pem", "texts.txt", "mark.png", "stress.json"):
        Path(name).write_text("an input\n")
    Path("hard.pem").hardlink_to("key.pem")
    return tmp_path


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_over_an_input_is_refused(
    sslauth: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_integration.signing.require_extra", lambda: None)  # the keys are never used
    file = Path(COMMANDS[command])
    before = file.read_bytes() if file.exists() else None
    ended = sslauth(*command.split())
    assert (ended.status, ended.out) == (2, "")
    assert "which this command reads or writes" in ended.err
    assert (file.read_bytes() if file.exists() else None) == before
    assert not Path("new").exists()
    assert not Path("cards/tiny/card.sig").exists()
