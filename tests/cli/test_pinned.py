"""Names of ``sslauth.toml`` on the command line: what is pinned is enforced, whatever the Hub serves now."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hf_integration.verdict import Accepted, Verdict
from tests.cli.conftest import Ended, Published, files_of

Run = Callable[..., Ended]


class TestPinned:
    @pytest.mark.parametrize("argument", ["search", "org/tiny"])
    def test_a_pinned_encoder_is_authentic_by_name_and_by_repo(
        self, sslauth: Run, published: Published, argument: str
    ) -> None:
        published.pin()
        ended = sslauth("verify", argument, "--format", "json")
        verdict = Verdict.from_dict(json.loads(ended.out))
        assert (ended.status, verdict.trust, verdict.revision) == (0, "pinned", published.commit)
        assert verdict.encoder == argument
        assert f"found 'search' in sslauth.toml: org/tiny @{published.commit}" in ended.err

    def test_a_consistent_replacement_upstream_is_not_even_looked_at(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        published.replace_encoder()
        ended = sslauth("verify", "search", "--format", "json")
        assert (ended.status, json.loads(ended.out)["revision"]) == (0, published.commit)

    def test_a_pinned_digest_without_commit_meets_the_replacement_and_names_both_digests(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin(commit="")
        published.replace_encoder()
        ended = sslauth("verify", "search", "--trust-self-asserted")
        assert (ended.status, ended.out) == (4, "")
        assert published.digest in ended.err
        assert ended.err.count("sha256:") == 2
        assert "sslauth lock" in ended.err

    def test_one_hexadecimal_digit_makes_another_digest(self, sslauth: Run, published: Published) -> None:
        other = published.digest[:-1] + ("0" if published.digest[-1] != "0" else "1")
        published.pin(card_digest=other)
        ended = sslauth("verify", "search")
        assert ended.status == 4
        assert other in ended.err
        assert published.digest in ended.err

    def test_another_card_that_the_caller_names_must_have_the_pinned_digest(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        same, other = published.workshop / "cards/tiny", published.workshop / "altered-card"
        assert sslauth("verify", "search", "--card", same).status == 0
        assert sslauth("verify", "search", "--card", other).status == 4

    def test_an_encoder_that_was_replaced_under_its_own_card_is_altered(
        self, sslauth: Run, published: Published
    ) -> None:
        files = files_of(published.workshop / "altered") | files_of(
            published.workshop / "cards/tiny", "sslauth/"
        )
        published.pin(commit=published.hub.commit("org/tiny", files))
        ended = sslauth("verify", "search")
        assert ended.status == 1
        assert "pinned: its digest is the one that you pinned" in ended.out

    def test_a_commit_that_is_gone_is_named_with_what_is_there_now(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        now = published.hub.create("org/tiny", files_of(published.workshop / "tiny"))
        ended = sslauth("verify", "search")
        assert (ended.status, ended.out) == (4, "")
        assert f"no longer has commit {published.commit}" in ended.err
        assert f"'main' is now {now}" in ended.err

    @pytest.mark.parametrize("revision", ["main", "f" * 40])
    def test_a_revision_that_contradicts_the_pin_is_a_usage_error(
        self, sslauth: Run, published: Published, revision: str
    ) -> None:
        published.pin()
        ended = sslauth("verify", "org/tiny", "--revision", revision)
        assert (ended.status, ended.out) == (2, "")
        assert published.commit in ended.err
        assert sslauth("verify", "org/tiny", "--revision", published.commit).status == 0

    def test_it_is_checked_offline_once_it_was_cached(
        self, sslauth: Run, published: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        published.pin()
        assert sslauth("verify", "search").status == 0
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert sslauth("verify", "search").status == 0

    def test_a_folder_called_like_the_pinned_repo_is_not_taken_for_it(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin()
        shutil.copytree(published.workshop / "altered", "org/tiny")
        for argument in ("search", "org/tiny"):
            ended = sslauth("verify", argument)
            assert (ended.status, ended.out) == (2, "")
            assert "org/tiny" in ended.err

    def test_a_signer_is_never_passed_over(self, sslauth: Run, published: Published) -> None:
        published.pin(signer="keys/publisher.pem")
        ended = sslauth("verify", "search")
        assert ended.status in (2, 3, 4)
        assert ended.out == ""


class TestNotLocked:
    def test_an_entry_without_pins_is_a_name_and_says_how_to_lock_it(
        self, sslauth: Run, published: Published
    ) -> None:
        published.pin(commit="", card_digest="")
        ended = sslauth("verify", "search")
        assert ended.status == 3
        assert "self-asserted" in ended.out
        assert "'search' is not locked" in ended.err
        assert "sslauth lock" in ended.err

    def test_a_local_card_is_as_local_as_without_the_file(self, sslauth: Run, published: Published) -> None:
        shutil.copytree(published.workshop / "cards/tiny", "cards/tiny")
        published.pin(commit="", card_digest="", card="cards/tiny")
        ended = sslauth("verify", "search")
        assert ended.status == 0
        assert "trust      local" in ended.out

    def test_the_branch_that_it_tracks_is_used(self, sslauth: Run, published: Published) -> None:
        published.pin(commit="", card_digest="", track="next")
        there = published.hub.commit("org/tiny", {"note.txt": b"x"}, branch="next")
        ended = sslauth("verify", "search", "--format", "json")
        assert json.loads(ended.out)["revision"] == there
        assert sslauth("verify", "search", "--revision", "main").status == 2


class TestLocalFolders:
    @pytest.fixture(autouse=True)
    def project(self, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)

    def pin(self, sslauth: Run, more: str = "") -> None:
        digest = sslauth("inspect", "cards/tiny", "-q").out.strip()
        Path("sslauth.toml").write_text(
            "version = 1\n[encoders.here]\npath = 'tiny'\ncard = 'cards/tiny'\n"
            f"card_digest = '{digest}'\n{more}"
        )

    def test_a_folder_is_pinned_by_name_and_by_path(self, sslauth: Run) -> None:
        self.pin(sslauth)
        for argument in ("here", "tiny", "./tiny/"):
            ended = sslauth("verify", argument)
            assert ended.status == 0
            assert "trust      pinned" in ended.out

    def test_a_replaced_card_is_an_integrity_error(self, sslauth: Run) -> None:
        self.pin(sslauth)
        Path("cards/tiny/card.json").write_bytes(Path("cards/tiny/card.json").read_bytes() + b" ")
        ended = sslauth("verify", "here")
        assert ended.status == 4

    def test_inspect_stress_and_verify_take_the_name(self, sslauth: Run) -> None:
        self.pin(sslauth)
        ended = sslauth("inspect", "here", "--format", "json")
        assert json.loads(ended.out)["location"] == "cards/tiny"
        assert sslauth("verify", "altered", "--card", "here").status == 1
        assert sslauth("stress", "altered").status == 2
        assert sslauth("inspect", "here", "--revision", "main").status == 2

    def test_a_file_that_is_wrong_stops_every_command_that_would_look_into_it(self, sslauth: Run) -> None:
        Path("sslauth.toml").write_text("version = 1\n[encoders.here]\npaht = 'tiny'\n")
        for command in (
            ("verify", "tiny"),
            ("inspect", "cards/tiny"),
            ("stress", "tiny", "--card", "cards/tiny"),
            ("mint", "tiny", "--out", "new"),
            ("lock",),
            ("add", "tiny"),
        ):
            ended = sslauth(*command)
            assert (ended.status, ended.out) == (2, "")
            assert "sslauth.toml, line 3: encoders.here.paht: unknown key" in ended.err


class TestCardOfAnotherEntry:
    """``--card NAME`` names the card of another entry: what both entries pin is enforced."""

    @pytest.fixture(autouse=True)
    def project(self, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)

    def pin(self, here: str = "", there: str = "") -> None:
        Path("sslauth.toml").write_text(
            f"version = 1\n[encoders.here]\npath = 'tiny'\ncard = 'cards/absent'\n{here}\n"
            f"[encoders.there]\npath = 'absent'\ncard = 'cards/tiny'\n{there}\n"
        )

    def test_a_card_that_fits_both_is_used_and_pinned(self, sslauth: Run) -> None:
        digest = sslauth("inspect", "cards/tiny", "-q").out.strip()
        self.pin(there=f"card_digest = '{digest}'")
        ended = sslauth("verify", "here", "--card", "there")
        assert ended.status == 0
        assert "trust      pinned" in ended.out

    @pytest.mark.parametrize("command", ["verify", "stress"])
    @pytest.mark.parametrize("entry", ["here", "there"])
    def test_a_digest_of_either_entry_is_enforced(self, sslauth: Run, entry: str, command: str) -> None:
        self.pin(**{entry: f"card_digest = 'sha256:{'0' * 64}'"})
        ended = sslauth(command, "here", "--card", "there")
        assert (ended.status, ended.out) == (4, "")
        assert f"the card of '{entry}' is not the pinned one" in ended.err

    @pytest.mark.parametrize("entry", ["here", "there"])
    def test_a_signer_of_either_entry_is_never_passed_over(self, sslauth: Run, entry: str) -> None:
        self.pin(**{entry: "signer = 'keys/absent.pem'"})
        ended = sslauth("verify", "here", "--card", "there")
        assert ended.status in (2, 4)
        assert ended.out == ""


class TestWaivers:
    @pytest.fixture(autouse=True)
    def project(self, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)

    def waive(self, state: str, days: int) -> str:
        until = (datetime.now(UTC).date() + timedelta(days)).isoformat()
        Path("sslauth.toml").write_text(
            "version = 1\n[encoders.here]\npath = 'altered'\ncard = 'cards/tiny'\n"
            f"[[encoders.here.waivers]]\nstate = '{state}'\nreason = 'known since May'\nuntil = {until}\n"
        )
        return until

    def test_a_waived_alteration_ends_with_0_and_every_report_says_so(self, sslauth: Run) -> None:
        found = json.loads(sslauth("verify", "altered", "--card", "cards/tiny", "--format", "json").out)
        assert found["waiver"] is None
        assert (
            f"{found['state']} (what a waiver names)"
            in sslauth("verify", "altered", "--card", "cards/tiny").out
        )
        until = self.waive(found["state"], days=30)
        headline = f"ALTERED, waived until {until}: known since May"
        ended = sslauth("verify", "here", "--picture", "check.png")
        assert (ended.status, ended.out.splitlines()[0]) == (0, headline)
        assert sslauth("verify", "here", "-q").out == f"{headline}\n"
        verdict = Verdict.from_dict(json.loads(sslauth("verify", "here", "--format", "json").out))
        assert (verdict.status, verdict.accepted) == ("altered", True)
        assert verdict.waiver == Accepted("known since May", until)

    def test_an_expired_waiver_ends_with_1_and_is_named(self, sslauth: Run) -> None:
        found = json.loads(sslauth("verify", "altered", "--card", "cards/tiny", "--format", "json").out)
        until = self.waive(found["state"], days=-2)
        ended = sslauth("verify", "here")
        assert ended.status == 1
        assert f"its waiver ended on {until}: known since May" in ended.out

    def test_a_waiver_under_an_expired_card_ends_with_1_and_says_both(self, sslauth: Run) -> None:
        from dataclasses import replace

        from hf_integration import WatermarkCard

        card = Path("cards/tiny")
        replace(WatermarkCard.load(card), expires="2020-01-31").save(card, force=True)
        found = json.loads(sslauth("verify", "altered", "--card", card, "--format", "json").out)
        self.waive(found["state"], days=30)
        ended = sslauth("verify", "here")
        assert ended.status == 1
        assert "not applied, as the card expired on 2020-01-31: known since May" in ended.out

    def test_a_waiver_of_another_state_changes_nothing(self, sslauth: Run) -> None:
        self.waive("sha256:" + "0" * 64, days=30)
        ended = sslauth("verify", "here")
        assert ended.status == 1
        assert "waived" not in ended.out

    def test_the_state_is_the_same_for_the_same_weights_in_another_file_layout(self, sslauth: Run) -> None:
        from safetensors.torch import load_file, save_file

        command = ("verify", "altered", "--card", "cards/tiny", "--format", "json")
        before = json.loads(sslauth(*command).out)["state"]
        file = Path("altered/model.safetensors")
        tensors = load_file(file)
        save_file(tensors, file, metadata={"format": "pt", "more": "header"})
        assert json.loads(sslauth(*command).out)["state"] == before
        tensors["embeddings.word_embeddings.weight"][7, 0] += 1e-6
        save_file(tensors, file, metadata={"format": "pt"})
        assert json.loads(sslauth(*command).out)["state"] != before
