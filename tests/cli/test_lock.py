"""``sslauth lock``: the only thing that moves a pin, and it shows where to first."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, Published, finish, start
from tests.hub_server import faults

Run = Callable[..., Ended]
FILE = Path("sslauth.toml")


class TestWriting:
    def test_an_entry_that_is_new_is_locked(self, sslauth: Run, published: Published) -> None:
        published.pin(commit="", card_digest="")
        ended = sslauth("lock")
        assert ended.status == 0
        assert f"commit       not pinned -> {published.commit}" in ended.out
        assert f'commit = "{published.commit}"\ncard_digest = "{published.digest}"\n' in FILE.read_text()
        assert sslauth("verify", "search").status == 0
        assert sslauth("lock", "--check").status == 0

    def test_a_new_version_is_shown_old_and_new_and_comments_stay(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        FILE.write_text(FILE.read_text().replace("[enc", "# mine\n[enc") + "# end\n")
        before = FILE.read_text()
        new = published.replace_encoder()
        ended = sslauth("lock", "--format", "json")
        [entry] = json.loads(ended.out)["encoders"]
        assert entry["changes"][0] == {"key": "commit", "old": published.commit, "new": new}
        digest = entry["changes"][1]["new"]
        assert FILE.read_text() == before.replace(published.commit, new).replace(published.digest, digest)
        assert sslauth("verify", "search").status == 0  # reviewed, as far as sslauth can know

    def test_nothing_to_change_leaves_the_file_alone(self, sslauth: Run, published: Published) -> None:
        published.pin()
        before = FILE.stat().st_mtime_ns
        ended = sslauth("lock")
        assert (ended.status, ended.out) == (
            0,
            f"search (org/tiny, main): unchanged\n  card         hub:org/tiny@{published.commit}/sslauth\n",
        )
        assert FILE.stat().st_mtime_ns == before

    def test_what_changes_is_shown_before_it_is_written(self, published: Published, tmp_path: Path) -> None:
        published.pin(commit="", card_digest="")
        before = FILE.read_bytes()
        reader, writer = os.pipe()
        os.close(reader)  # whoever would have seen it is gone
        env = published.hub.environment(tmp_path / "home")
        ended = finish(start("lock", stdout=writer, env=env))
        os.close(writer)
        assert ended.status == 2
        assert FILE.read_bytes() == before

    @pytest.mark.parametrize("value", ["true", "1", "True"])
    def test_ci_must_not_move_pins_unless_told_to(
        self, sslauth: Run, published: Published, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        published.pin(commit="", card_digest="")
        before = FILE.read_bytes()
        monkeypatch.setenv("CI", value)
        ended = sslauth("lock")
        assert (ended.status, ended.out) == (2, "")
        assert "--allow-ci" in ended.err
        assert FILE.read_bytes() == before
        assert sslauth("lock", "--check").status == 4
        assert sslauth("lock", "--allow-ci").status == 0

    def test_one_entry_can_be_chosen(self, sslauth: Run, published: Published) -> None:
        published.pin(commit="", card_digest="")
        FILE.write_text(FILE.read_text() + '\n[encoders.other]\nrepo = "org/absent"\n')
        assert sslauth("lock", "search").status == 0
        ended = sslauth("lock", "nothing")
        assert ended.status == 2
        assert "search, other" in ended.err

    def test_one_entry_that_fails_leaves_all_as_they_were(self, sslauth: Run, published: Published) -> None:
        published.pin(commit="", card_digest="")
        FILE.write_text(FILE.read_text() + '\n[encoders.other]\nrepo = "org/absent"\n')
        before = FILE.read_bytes()
        ended = sslauth("lock")
        assert (ended.status, ended.out) == (2, "")
        assert "org/absent" in ended.err
        assert FILE.read_bytes() == before

    def test_the_cache_does_not_answer_for_a_hub_that_is_out_of_reach(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin(commit="", card_digest="")
        assert sslauth("verify", "search").status == 3
        published.hub.faults.append(faults.Fault(faults.status(503)))
        assert sslauth("lock").status == 3
        assert sslauth("lock", "--check").status == 3

    def test_a_local_card_is_pinned_with_a_word_on_its_age(self, sslauth: Run, published: Published) -> None:
        shutil.copytree(published.workshop / "cards/tiny", "cards/tiny")
        published.pin(commit="", card_digest="", card="cards/tiny")
        assert sslauth("lock").status == 0
        assert sslauth("verify", "search").status == 0

    def test_without_a_file_it_says_how_to_begin(
        self, sslauth: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        ended = sslauth("lock", "--check")
        assert ended.status == 2
        assert "sslauth add" in ended.err


class TestCheck:
    def test_a_branch_that_moved_is_stale(self, sslauth: Run, published: Published) -> None:
        published.pin()
        before = FILE.read_bytes()
        assert sslauth("lock", "--check", "-q").out == "fresh\n"
        published.replace_encoder()
        ended = sslauth("lock", "--check", "-q")
        assert (ended.status, ended.out) == (4, "stale\n")
        assert FILE.read_bytes() == before

    def test_a_card_that_is_gone_is_stale(self, sslauth: Run, published: Published) -> None:
        published.pin()
        names = [name for name in published.hub.files("org/tiny") if name.startswith("sslauth/")]
        published.hub.commit("org/tiny", {}, delete=names)
        ended = sslauth("lock", "--check")
        assert ended.status == 4
        assert "no watermark card" in ended.out

    def test_what_is_stale_is_said_although_another_cannot_be_asked(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin(card_digest="")
        FILE.write_text(FILE.read_text() + '\n[encoders.other]\nrepo = "org/other"\n')
        published.hub.faults.append(faults.Fault(faults.status(503), path="org/other"))
        ended = sslauth("lock", "--check", "--format", "json")
        assert ended.status == 4
        search, other = json.loads(ended.out)["encoders"]
        assert (search["unanswered"], bool(other["unanswered"])) == (None, True)

    @pytest.mark.parametrize("code", [500, 503, 429])
    def test_a_hub_that_does_not_answer_is_an_open_question(
        self, sslauth: Run, published: Published, code: int
    ) -> None:
        published.pin()
        published.hub.faults.append(faults.Fault(faults.status(code)))
        ended = sslauth("lock", "--check", "-q")
        assert (ended.status, ended.out) == (3, "unknown\n")


class TestRevocation:
    def model_card(
        self, published: Published, digest: str, revoked: str, commit: str = ""
    ) -> dict[str, bytes]:
        text = f"""---
sslauth:
  schema: 1
  card: "sslauth"
  digest: "{digest}"
  encoder_commit: "{commit or published.commit}"
  created: "2026-01-01T00:00:00Z"
  embedding_dim: 32
  revoked:
    - digest: "{revoked}"
      reason: "minted by mistake"
---
"""
        return {"README.md": text.encode()}

    def test_a_revoked_card_is_stale_and_is_not_pinned(self, sslauth: Run, published: Published) -> None:
        published.pin()
        published.hub.commit("org/tiny", self.model_card(published, published.digest, published.digest))
        before = FILE.read_bytes()
        said = f"card {published.digest} was revoked by org/tiny: minted by mistake"
        ended = sslauth("lock", "--check")
        assert (ended.status, said in ended.out) == (4, True)
        ended = sslauth("lock")
        assert (ended.status, ended.out, said in ended.err) == (4, "", True)
        assert FILE.read_bytes() == before

    def test_the_card_that_follows_a_revoked_one_is_pinned(self, sslauth: Run, published: Published) -> None:
        published.pin()
        there = published.replace_encoder()
        new = hashlib.sha256(published.hub.read("org/tiny", "sslauth/card.json")).hexdigest()
        published.hub.commit("org/tiny", self.model_card(published, f"sha256:{new}", published.digest, there))
        stale = sslauth("lock", "--check")
        assert stale.status == 4
        assert f"card {published.digest} was revoked by org/tiny: minted by mistake" in stale.out
        assert sslauth("lock").status == 0
        fresh = sslauth("lock", "--check")
        assert (fresh.status, "revoked" in fresh.out) == (0, False)
        assert new in FILE.read_text()

    def test_a_model_card_that_cannot_be_read_may_hide_a_revocation(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin(commit=published.hub.commit("org/tiny", {"README.md": b"---\nsslauth: 7\n---\n"}))
        ended = sslauth("lock", "--check")
        assert ended.status == 4
        assert "the model card of org/tiny at " in ended.out
        assert "cannot be read: README.md: sslauth: not a mapping" in ended.out

    def unreachable(self, published: Published, width: int = 32) -> str:
        """A model card whose recorded commit the Hub cannot be asked about; gives that commit."""
        recorded = published.commit
        readme = self.model_card(published, published.digest, "sha256:" + "0" * 64)["README.md"]
        readme = readme.replace(b"embedding_dim: 32", b"embedding_dim: %d" % width)
        published.pin(commit=published.hub.commit("org/tiny", {"README.md": readme}))
        published.hub.faults.append(faults.Fault(faults.status(503), path=recorded))
        return recorded

    def test_a_recorded_commit_that_cannot_be_looked_up_is_an_open_question(
        self, sslauth: Run, published: Published
    ) -> None:
        recorded = self.unreachable(published)
        before = FILE.read_bytes()
        ended = sslauth("lock", "--check")
        assert ended.status == 3
        assert f"commit {recorded}, which could not be looked up" in ended.err
        assert sslauth("lock").status == 3
        assert FILE.read_bytes() == before
        published.hub.faults.clear()
        assert sslauth("lock", "--check").status == 0

    def test_it_does_not_hide_that_the_branch_moved(self, sslauth: Run, published: Published) -> None:
        recorded = self.unreachable(published)
        moved = published.hub.commit("org/tiny", {"other.txt": b"something else"})
        ended = sslauth("lock", "--check", "--format", "json")
        [entry] = json.loads(ended.out)["encoders"]
        assert ended.status == 4
        assert moved in json.dumps(entry["changes"])
        assert recorded in entry["unanswered"]

    def test_it_does_not_hide_another_claim_that_is_wrong(self, sslauth: Run, published: Published) -> None:
        self.unreachable(published, width=99)
        ended = sslauth("lock", "--check")
        assert ended.status == 4
        assert "the model card says embeddings are 99 wide, the card 32" in ended.out

    def test_weights_that_are_stored_in_another_way_since_are_stale(
        self, sslauth: Run, published: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readme = self.model_card(published, published.digest, "sha256:" + "0" * 64)
        weights = bytearray(published.hub.read("org/tiny", "model.safetensors"))
        weights[-1] ^= 1
        monkeypatch.setattr("tests.hub_server.server.is_large", lambda *_: False)
        published.pin(
            commit=published.hub.commit("org/tiny", {**readme, "model.safetensors": bytes(weights)})
        )
        ended = sslauth("lock", "--check")
        assert ended.status == 4
        assert "whose files are listed with other kinds of digests than now" in ended.out
