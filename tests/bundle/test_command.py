"""``sslauth bundle``, and that what it wrote verifies without a network."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.conftest import ENCODER
from tests.bundle.test_making import alter
from tests.cli.conftest import Ended, sslauth
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair

__all__ = ["sslauth"]

Run = Callable[..., Ended]


def verify_offline(bundle: Path, hub: HubServer, home: Path, *arguments: str) -> Ended:
    """``cd BUNDLE && sslauth verify ...`` in a process of its own, with an empty cache and no network."""
    asked = len(hub.requests)
    process = subprocess.run(  # noqa: PLW1510  # a status is what is asked for
        [sys.executable, "-m", "hf_integration.cli", "verify", *arguments],
        cwd=bundle,
        env=hub.environment(home, HF_HUB_OFFLINE="1"),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert len(hub.requests) == asked
    return Ended(process.returncode, process.stdout, process.stderr)


@pytest.mark.usefixtures("here")
class TestBundle:
    def test_a_bundle_verifies_in_its_folder_without_a_network(
        self, sslauth: Run, published: HubServer, keys: KeyPair, tmp_path: Path
    ) -> None:
        ended = sslauth("bundle", ENCODER, "--signer", keys.public, "--out", "bundle", "--name", "tiny")
        assert ended.status == 0, ended.err
        assert "cd bundle && sslauth verify tiny" in ended.out
        found = verify_offline(
            Path("bundle"),
            published,
            tmp_path / "home",
            "encoder",
            "--card",
            "card",
            "--signer",
            "signer.pem",
        )
        assert found.status == 0, found.err
        assert "signed: its signature was checked" in found.out

    def test_json_lists_the_files(self, sslauth: Run) -> None:
        ended = sslauth("bundle", "tiny", "--out", "bundle", "--format", "json")
        said = json.loads(ended.out)
        assert (ended.status, said["name"], said["trust"]) == (0, "tiny", "local")
        assert all(Path("bundle", name).is_file() for name in said["files"])

    def test_an_altered_encoder_ends_with_1_and_its_report(self, sslauth: Run, here: Path) -> None:
        alter(here / "tiny")
        ended = sslauth("bundle", "tiny", "--out", "bundle")
        assert ended.status == 1
        assert ended.out.startswith("ALTERED: tiny\n")
        assert sorted(os.listdir(here)) == ["cards", "tiny"]  # noqa: PTH208  # hidden ones too
        as_json = sslauth("bundle", "tiny", "--out", "bundle", "--format", "json")
        assert json.loads(as_json.out)["status"] == "altered"

    @pytest.mark.usefixtures("published")
    def test_a_self_asserted_card_ends_with_3(self, sslauth: Run) -> None:
        assert sslauth("bundle", ENCODER, "--card", ENCODER, "--out", "bundle").status == 3
        assert not Path("bundle").exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("tiny",),
            ("tiny", "--out", "cards"),
            ("tiny", "--out", "bundle", "--card", ""),
            ("tiny", "--out", "bundle", "--name", "a/b"),
            ("tiny", "--out", "bundle", "--signer", ""),
            ("tiny", "--out", "bundle", "--signer", "sigstore:me@example.org@https://issuer"),
            ("tiny", "--out", "/dev/null/bundle"),
            ("tiny", "--out", "bundle", "--revision", "main"),
            ("cards", "--card", "cards/tiny", "--out", "bundle"),
        ],
    )
    def test_bad_input_ends_with_2_and_writes_nothing(
        self, sslauth: Run, here: Path, arguments: tuple[str, ...]
    ) -> None:
        ended = sslauth("bundle", *arguments)
        assert (ended.status, ended.out) == (2, "")
        assert "sslauth: error: " in ended.err
        assert sorted(os.listdir(here)) == ["cards", "tiny"]  # noqa: PTH208
