"""``sslauth review``: what ``lock`` would change is shown, and nothing is written."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Ended, Published

Run = Callable[..., Ended]
FILE = Path("sslauth.toml")
CHANGED = "encoder.layer.1.output.dense.weight: other values"


class TestOnAHub:
    def test_a_new_version_is_compared_with_the_pinned_one(self, sslauth: Run, published: Published) -> None:
        published.pin()
        before = FILE.read_bytes()
        new = published.replace_encoder()
        ended = sslauth("review")
        assert ended.status == 0
        assert ended.out.splitlines()[0] == "search (org/tiny, main): stale"
        assert f"commit       {published.commit} -> {new}" in ended.out
        assert f"tensors of the encoder that differ: 1\n    {CHANGED}" in ended.out
        assert "settings of the encoder that differ: none" in ended.out
        assert "encoder: name: tiny -> altered" in ended.out
        assert FILE.read_bytes() == before

    def test_json_says_the_same_as_lock_and_more(self, sslauth: Run, published: Published) -> None:
        published.pin()
        published.replace_encoder()
        reviewed = json.loads(sslauth("review", "--format", "json").out)
        [entry] = reviewed["encoders"]
        assert (reviewed["pending"], entry["compared"]["tensors"]) == (True, [CHANGED])
        [locked] = json.loads(sslauth("lock", "--format", "json").out)["encoders"]
        assert {key: entry[key] for key in locked} == locked
        assert json.loads(sslauth("review", "--format", "json").out)["pending"] is False

    def test_what_would_be_pinned_is_checked_with_the_pinned_card(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        published.replace_encoder()
        ended = sslauth("review", "--pictures", "drawn")
        assert ended.status == 0
        assert "with the pinned card: altered" in ended.out
        with Image.open("drawn/search.png") as picture:
            assert picture.width > 100

    def test_nothing_pending(self, sslauth: Run, published: Published) -> None:
        published.pin()
        ended = sslauth("review", "--pictures", "drawn")
        assert (ended.status, ended.out.splitlines()[0]) == (0, "search (org/tiny, main): unchanged")
        assert sslauth("review", "-q").out == "unchanged\n"
        assert not Path("drawn").exists()

    def test_a_card_that_was_not_pinned_cannot_be_compared(self, sslauth: Run, published: Published) -> None:
        published.pin(card_digest="")
        ended = sslauth("review")
        assert ended.status == 0
        assert "card_digest  not pinned -> " in ended.out
        assert "not compared: no card was pinned before" in ended.out

    def test_another_card_at_the_pinned_commit_is_not_taken_for_the_pinned_one(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin(card_digest="sha256:" + 64 * "0")
        assert "not compared: the pinned card is not there any more" in sslauth("review").out

    def test_what_must_not_be_pinned_ends_with_4(self, sslauth: Run, published: Published) -> None:
        published.pin()
        files = {"sslauth/card.json": b"{}"}
        published.hub.commit(published.repo, files)
        assert sslauth("review").status == 4

    def test_a_hub_that_does_not_answer_ends_with_3(
        self, sslauth: Run, published: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        published.pin()
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        ended = sslauth("review")
        assert ended.status == 3


class TestInFolders:
    @pytest.fixture
    def project(self, replacement: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A project in git, whose card was replaced after it was committed and pinned."""
        project = tmp_path / "project"
        shutil.copytree(replacement / "tiny", project / "tiny")
        shutil.copytree(replacement / "cards" / "tiny", project / "cards" / "tiny")
        monkeypatch.chdir(project)
        FILE.write_text('version = 1\n\n[encoders.search]\npath = "tiny"\ncard = "cards/tiny"\n')
        return project

    def replaced(self, replacement: Path) -> None:
        shutil.rmtree("cards/tiny")
        shutil.copytree(replacement / "altered-card", "cards/tiny")

    def test_the_earlier_card_is_found_in_git(self, sslauth: Run, project: Path, replacement: Path) -> None:
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        assert sslauth("lock", "--allow-ci").status == 0
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "card"]):
            who = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
            subprocess.run(["git", *who, *arguments], cwd=project, check=True)
        self.replaced(replacement)
        ended = sslauth("review", "--pictures", "drawn")
        assert ended.status == 0
        assert f"tensors of the encoder that differ: 1\n    {CHANGED}" in ended.out
        assert "with the pinned card: authentic" in ended.out  # only the card was replaced

    def test_without_git_it_is_said_to_be_gone(
        self,
        sslauth: Run,
        project: Path,  # noqa: ARG002  # it is the working directory
        replacement: Path,
    ) -> None:
        assert sslauth("lock", "--allow-ci").status == 0
        self.replaced(replacement)
        assert "not compared: the pinned card is not there any more" in sslauth("review").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent"], "no encoder 'absent' in sslauth.toml"),
        (["--pictures", "sslauth.toml"], "'sslauth.toml' is no folder"),
        (["--device", "cpu"], "--device is for --pictures"),
    ],
)
def test_wrong_usage_is_one_line(sslauth: Run, published: Published, arguments: list[str], said: str) -> None:
    published.pin()
    ended = sslauth("review", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err.splitlines()[-1]
