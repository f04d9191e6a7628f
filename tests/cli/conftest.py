"""A folder with a tiny encoder, its card, and an altered copy; and ways to run the command."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any

import pytest

from tests.hub_server.fixtures import hub, hub_here
from tests.hub_server.server import HubServer
from tests.threads import one_thread

if TYPE_CHECKING:
    from tests.signing.keys import KeyPair

__all__ = ["hub", "hub_here", "one_thread"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tiny`` with ``cards/tiny``; ``altered``, in which one weight differs; ``far``, in which many do.

    The second moves embeddings about as far as half precision does, the third further than any arithmetic.
    """
    from safetensors.torch import load_file, save_file

    from tests.tiny_cards import save_with_card

    root = tmp_path_factory.mktemp("cli")
    save_with_card(root / "tiny", root / "cards" / "tiny")
    file = Path(copytree(root / "tiny", root / "altered")) / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] += 0.5
    save_file(tensors, file, metadata={"format": "pt"})
    far = Path(copytree(root / "tiny", root / "far")) / "model.safetensors"
    tensors["encoder.layer.1.output.dense.weight"] = tensors["encoder.layer.1.output.dense.weight"].flip(0)
    save_file(tensors, far, metadata={"format": "pt"})
    return root


@pytest.fixture
def here(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workshop as working directory; nothing may be left in it."""
    monkeypatch.chdir(workshop)
    return workshop


@pytest.fixture
def sslauth(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command in this process, for speed."""
    from hf_integration.cli import main

    def run(*arguments: str | Path) -> Ended:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Ended(status, captured.out, captured.err)

    return run


@pytest.fixture
def project(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with encoders and cards of its own."""
    project = Path(copytree(workshop, tmp_path / "project"))
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def keys(tmp_path: Path) -> "KeyPair":
    """The keys of a signer."""
    from tests.signing.keys import make_keys

    return make_keys(tmp_path)


def environment(**more: str) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", **more}


def start(
    *arguments: str | Path, code: str | None = None, env: dict[str, str] | None = None, **streams: Any
) -> subprocess.Popen[str]:
    """Start the command in a process of its own, or Python code that calls it."""
    program = ["-m", "hf_integration.cli"] if code is None else ["-c", code]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)], text=True, env=env or environment(), **piped
    )


def finish(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=240)
    return Ended(process.returncode, out or "", err or "")


@dataclass(frozen=True)
class Published:
    """The workshop's encoder on a Hub, with its card beside it, and a project that pins it.

    Attributes:
        hub: the Hub.
        repo: its repo id.
        commit: the first commit.
        digest: of its card.
        workshop: where files to publish come from.
    """

    hub: HubServer
    repo: str
    commit: str
    digest: str
    workshop: Path

    def replace_encoder(self) -> str:
        """An attacker's or a publisher's commit: other weights, and a card that fits them."""
        files = files_of(self.workshop / "altered") | files_of(self.workshop / "altered-card", "sslauth/")
        return self.hub.commit(self.repo, files)

    def pin(self, **values: str) -> None:
        """Write an ``sslauth.toml`` that pins the first commit, with other values if some are given."""
        entry = {"repo": self.repo, "commit": self.commit, "card_digest": self.digest} | values
        lines = [f'{key} = "{value}"' for key, value in entry.items() if value]
        Path("sslauth.toml").write_text("\n".join(["version = 1", "", "[encoders.search]", *lines, ""]))


def files_of(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {prefix + file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.fixture(scope="session")
def replacement(workshop: Path) -> Path:
    """A card of the altered encoder, as an attacker would mint it."""
    from tests.tiny_cards import mint_quickly

    mint_quickly(workshop / "altered", workshop / "altered-card")
    return workshop


@pytest.fixture
def published(
    hub_here: HubServer, replacement: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Published:
    """``org/tiny`` on a Hub, and an empty project as working directory."""
    files = files_of(replacement / "tiny") | files_of(replacement / "cards" / "tiny", "sslauth/")
    commit = hub_here.create("org/tiny", files)
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    digest = hashlib.sha256(files["sslauth/card.json"]).hexdigest()
    return Published(hub_here, "org/tiny", commit, f"sha256:{digest}", replacement)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: a project without any cards."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
