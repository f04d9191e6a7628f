"""``sslauth bundle``, and that what it wrote verifies without a network."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import WatermarkCard
from tests.bundle.conftest import ENCODER
from tests.bundle.test_making import alter
from tests.cli.conftest import Ended, sslauth
from tests.hub_server.server import HubServer
from tests.signing.keys import KeyPair, make_keys

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


def other_key(folder: Path) -> bytes:
    return make_keys(folder).public.read_bytes()


@pytest.mark.usefixtures("here")
class TestBundle:
    def test_a_bundle_verifies_in_its_folder_without_a_network(
        self, sslauth: Run, published: HubServer, keys: KeyPair, tmp_path: Path
    ) -> None:
        ended = sslauth("bundle", ENCODER, "--signer", keys.public, "--out", "bundle", "--name", "tiny")
        assert ended.status == 0, ended.err
        assert "cd bundle && sslauth verify tiny" in ended.out
        found = verify_offline(Path("bundle"), published, tmp_path / "home", "tiny")
        assert found.status == 0, found.err
        assert "pinned: its digest is the one that you pinned" in found.out

    def test_whatever_is_altered_in_a_bundle_is_found_there(
        self, sslauth: Run, keys: KeyPair, tmp_path: Path
    ) -> None:
        sslauth("bundle", "tiny", "--signer", keys.public, "--out", "bundle")
        for change, status in (
            (lambda place: alter(place / "encoder"), 1),
            (
                lambda place: replace(WatermarkCard.load("cards/tiny"), tolerance=0.5).save(
                    place / "card", force=True
                ),
                4,
            ),
            (lambda place: (place / "card" / "card.sig").unlink(), 4),
            (lambda place: (place / "signer.pub").write_bytes(other_key(tmp_path)), 4),
            (lambda place: (place / "signer.pub").unlink(), 2),
            (lambda place: shutil.rmtree(place / "card"), 3),
        ):
            place = Path(shutil.copytree("bundle", tmp_path / "altered"))
            change(place)
            os.chdir(place)
            ended = sslauth("verify", "tiny")
            assert ended.status == status, ended.err
            os.chdir(tmp_path / "here")
            shutil.rmtree(place)

    def test_a_name_of_sslauth_toml_is_bundled_as_it_is_pinned(
        self, sslauth: Run, published: HubServer, keys: KeyPair
    ) -> None:
        commit = published.head(ENCODER)
        digest = WatermarkCard.load("cards/tiny").digest
        shutil.copy(keys.public, "key.pub")
        entry = (
            f'version = 1\n[encoders.search]\nrepo = "{ENCODER}"\ncommit = "{commit}"\nsigner = "key.pub"\n'
        )
        Path("sslauth.toml").write_text(f'{entry}card_digest = "{digest}"\n')
        published.commit(ENCODER, {"config.json": b"{}"})  # the branch moves on, the pin stays
        ended = sslauth("bundle", "search", "--out", "bundle", "--format", "json")
        assert ended.status == 0, ended.err
        assert json.loads(ended.out)["trust"] == "pinned"
        assert {"signer.pub", "card/card.sig"} < set(json.loads(ended.out)["files"])
        Path("sslauth.toml").write_text(f'{entry}card_digest = "sha256:{"0" * 64}"\n')
        assert sslauth("bundle", "search", "--out", "other").status == 4
        assert sslauth("bundle", "search", "--out", "other", "--revision", "main").status == 2
        assert not Path("other").exists()

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
