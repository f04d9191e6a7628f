"""Starting a server of somebody else, waiting until it answers, and stopping it."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 180.0
"""Seconds that a server may take to load an encoder on a busy machine."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def server(
    command: Sequence[str], *, port: int, log: Path, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A server on this machine.

    Args:
        command: that starts it.
        port: that it listens on.
        log: file for what it prints.
        settings: environment variables.

    Yields:
        Its URL.

    Raises:
        RuntimeError: it ended, or did not answer in time; says what it printed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, **(settings or {})},
            start_new_session=True,
        )
    try:
        _await(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse()  # any status is an answer
        except OSError:
            time.sleep(0.2)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"the server did not answer: {log.read_text(errors='replace')[-2000:]}")


def infinity() -> str | None:
    """The command of Infinity, which needs older libraries than ours and so an environment of its own."""
    return shutil.which(os.environ.get("SSLAUTH_INFINITY", "infinity_emb"))


def node_modules() -> Path | None:
    """The folder of the packages that ``server.mjs`` imports, where Node.js can run them."""
    folder = os.environ.get("SSLAUTH_NODE_MODULES")
    return Path(folder) if folder and shutil.which("node") and Path(folder).is_dir() else None


@contextmanager
def infinity_with(folder: Path, *options: str, log: Path) -> Iterator[str]:
    """Infinity with an encoder, which speaks the API ``openai`` below ``/v1`` and calls it ``encoder``."""
    port = free_port()
    command = [
        *(infinity() or "infinity_emb", "v2", "--model-id", str(folder), "--served-model-name", "encoder"),
        *("--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--no-model-warmup"),
        *("--host", "127.0.0.1", "--port", str(port), "--url-prefix", "/v1", *options),
    ]
    settings = {"HF_HUB_OFFLINE": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    with server(command, port=port, log=log, settings=settings) as url:
        yield f"{url}/v1"


@contextmanager
def node_with(runtime: str, place: Path, *options: str, log: Path) -> Iterator[str]:
    """Our small server around a runtime of Node.js: ``transformers`` and a folder, ``llama`` and a file."""
    port = free_port()
    script = log.parent / "server.mjs"  # beside the packages that it imports
    shutil.copy(Path(__file__).parent / "node" / "server.mjs", script)
    packages = log.parent / "node_modules"
    if not packages.exists():
        packages.symlink_to(node_modules() or "node_modules")
    command = ["node", str(script), runtime, str(place), str(port), *options]
    with server(command, port=port, log=log) as url:
        yield url
