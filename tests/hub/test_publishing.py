"""Cards are published over real HTTP: whole or not at all, once, and never where they do not belong."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from hf_integration.base.errors import (
    EncoderError,
    InconclusiveError,
    IntegrityError,
    PublishingConflictError,
    PublishingRefusedError,
    SSLAuthError,
    UsageError,
)
from hf_integration.hub import Publication, Publisher, published_card, revocation
from hf_integration.model_card import read_claims
from tests.hub.repositories import REPO, Shelf, files_of, signature_over
from tests.hub_server import Fault, HubServer, faults

COMMIT = r"/api/models/org/tiny/commit/"


def commits_asked_for(hub: HubServer) -> int:
    return sum("/commit/" in request.path for request in hub.requests)


def claims_of(hub: HubServer, revision: str = "main"):  # type: ignore[no-untyped-def]
    claims = read_claims(hub.read(REPO, "README.md", revision))
    assert claims is not None
    return claims


class TestOneCommit:
    def test_it_holds_the_card_and_the_model_card(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        before, files = repo.head(REPO), repo.files(REPO)
        done = publisher.publish(card, REPO)
        after = repo.files(REPO)
        assert done.commit == repo.head(REPO)
        assert (done.encoder_commit, done.pull_request, done.signed) == (before, None, False)
        assert {name: after.pop(f"sslauth/{name}") for name in files_of(card)} == files_of(card)
        assert after.pop("README.md") != files.pop("README.md")
        assert after == files
        assert commits_asked_for(repo) == 1
        claims = claims_of(repo)
        assert (claims.digest, claims.encoder_commit, claims.card) == (done.digest, before, "sslauth")
        assert claims.embedding_dim == 32

    def test_the_same_card_once_more_changes_nothing(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        first = publisher.publish(card, REPO)
        again = publisher.publish(card, REPO)
        assert (again.commit, again.changed) == (first.commit, ())
        assert again.encoder_commit == first.encoder_commit
        assert commits_asked_for(repo) == 1

    def test_edits_of_others_stay_and_are_no_reason_to_publish_again(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        publisher.publish(card, REPO)
        readme = repo.read(REPO, "README.md")
        edited = readme.replace(b"It embeds.", b"It embeds well.").replace(
            b"license: mit", b"license: apache"
        )
        head = repo.commit(REPO, {"README.md": edited, "LICENSE": b"yes"})
        assert publisher.publish(card, REPO).changed == ()
        assert repo.head(REPO) == head

    def test_a_repository_without_a_model_card_gets_one(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        repo.commit(REPO, {}, delete=["README.md"])
        publisher.publish(card, REPO)
        assert repo.read(REPO, "README.md").startswith(b"---\nsslauth:\n")

    def test_a_new_card_takes_the_place_of_the_old_one(
        self, repo: HubServer, card: Path, publisher: Publisher, another_card: Callable[..., Path]
    ) -> None:
        first = publisher.publish(card, REPO)
        newer = another_card(created="2030-01-01T00:00:00+00:00")
        done = publisher.publish(newer, REPO)
        assert done.digest != first.digest
        assert claims_of(repo).digest == done.digest
        assert done.encoder_commit == first.commit
        assert repo.read(REPO, "README.md").count(b"sslauth:begin") == 1
        assert first.digest.encode() not in repo.read(REPO, "README.md")

    def test_weights_in_another_encoding_are_the_same_encoder_and_get_a_new_commit_in_the_claims(
        self, repo: HubServer, card: Path, publisher: Publisher, shelf: Shelf
    ) -> None:
        from safetensors.torch import load_file, save_file

        publisher.publish(card, REPO)
        file = card.parent / "model.safetensors"
        tensors = load_file(shelf.encoder / "model.safetensors")
        save_file(tensors, file, metadata={"format": "pt", "by": "another program"})
        head = repo.commit(REPO, {"model.safetensors": file.read_bytes()})
        assert publisher.publish(card, REPO).encoder_commit == head


class TestPullRequests:
    def test_one_is_opened_and_main_stays(self, repo: HubServer, card: Path, publisher: Publisher) -> None:
        head = repo.head(REPO)
        done = replace(publisher, create_pr=True).publish(card, REPO)
        assert repo.head(REPO) == head
        assert done.pull_request is not None
        assert done.pull_request.endswith("/org/tiny/discussions/1")
        assert claims_of(repo, "refs/pr/1").digest == done.digest

    def test_the_same_once_more_opens_no_other(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        first = replace(publisher, create_pr=True).publish(card, REPO)
        again = replace(publisher, create_pr=True).publish(card, REPO)
        assert (again.pull_request, again.changed) == (first.pull_request, ())
        assert len(repo.repository(REPO).discussions) == 1

    def test_one_of_the_same_name_that_does_something_else_is_no_excuse(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        first = replace(publisher, create_pr=True).publish(card, REPO)
        repo.commit(REPO, {"sslauth/card.json": b"{}"}, branch="refs/pr/1")
        again = replace(publisher, create_pr=True).publish(card, REPO)
        assert again.pull_request not in (None, first.pull_request)

    def test_a_list_of_them_that_never_ends_is_given_up(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        def more(_):  # type: ignore[no-untyped-def]
            return {"discussions": [], "count": 10**9, "start": 0}

        repo.faults.append(Fault(faults.edited(more), path="/discussions"))
        with pytest.raises(IntegrityError, match="the list of pull requests of org/tiny goes on after"):
            replace(publisher, create_pr=True).publish(card, REPO)
        assert commits_asked_for(repo) == 0

    @pytest.mark.parametrize("sha", ["../../../../pwned", "/pwned", "main", None, 7])
    def test_one_whose_head_is_no_commit_writes_nothing_outside_the_cache(
        self, repo: HubServer, card: Path, publisher: Publisher, tmp_path: Path, sha: object
    ) -> None:
        replace(publisher, create_pr=True).publish(card, REPO)

        def lying(answered):  # type: ignore[no-untyped-def]
            return {**answered, "sha": sha}

        repo.faults.append(Fault(faults.edited(lying), path="/revision/refs%2Fpr%2F1"))
        repo.faults.append(Fault(faults.body(lambda _: b"[]"), path="/tree/[^?]*pwned"))
        with pytest.raises(IntegrityError, match="names no commit for pull request 1 of org/tiny") as raised:
            replace(publisher, create_pr=True).publish(card, REPO)
        assert "\n" not in str(raised.value)
        assert not list(tmp_path.rglob("pwned*"))


class TestRefusals:
    def refused(
        self, repo: HubServer, publisher: Publisher, card: Path, error: type[SSLAuthError], message: str
    ) -> None:
        head, files = repo.head(REPO), repo.files(REPO)
        with pytest.raises(error, match=message):
            publisher.publish(card, REPO)
        assert (repo.head(REPO), repo.files(REPO)) == (head, files)
        assert commits_asked_for(repo) == 0

    def test_a_private_card_before_anything_is_sent(
        self, repo: HubServer, publisher: Publisher, another_card: Callable[..., Path]
    ) -> None:
        secret = another_card(secret=True)
        self.refused(repo, publisher, secret, PublishingRefusedError, "private card")
        assert repo.requests == []

    def test_a_card_of_other_weights(self, repo: HubServer, publisher: Publisher, shelf: Shelf) -> None:
        message = "not of the weights .* 1 of 37 tensors differ, first encoder.layer.1.output.dense.weight"
        self.refused(repo, publisher, shelf.attackers_card, PublishingRefusedError, message)

    def test_a_card_of_weights_that_are_rounded_to_two_precisions(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        file, halves = "model.safetensors", (torch.float16, torch.bfloat16)
        tensors = {n: t.to(halves["attention" in n]) for n, t in load(repo.read(REPO, file)).items()}
        repo.commit(REPO, {file: save(tensors, {"format": "pt"})})
        self.refused(repo, publisher, card, PublishingRefusedError, "in part to float16 .* to bfloat16")

    def test_a_card_of_another_kind_of_encoder(
        self, repo: HubServer, card: Path, publisher: Publisher, tmp_path: Path
    ) -> None:
        from tests.encoders import tiny_models

        repo.commit(REPO, files_of(tiny_models.save("distilbert", tmp_path / "other")))
        self.refused(repo, publisher, card, PublishingRefusedError, "another encoder .* architecture")

    def test_a_card_of_other_settings(self, repo: HubServer, card: Path, publisher: Publisher) -> None:
        settings = json.loads(repo.read(REPO, "config.json"))
        settings["layer_norm_eps"] = 0.1
        repo.commit(REPO, {"config.json": json.dumps(settings).encode()})
        self.refused(repo, publisher, card, PublishingRefusedError, "not of the settings .*layer_norm_eps")

    def test_a_card_that_was_minted_for_another_repository(
        self, repo: HubServer, publisher: Publisher, another_card: Callable[..., Path]
    ) -> None:
        others = another_card(encoder_name="org/other", commit="0" * 40)
        self.refused(
            repo, publisher, others, PublishingRefusedError, "minted for org/other, not for org/tiny"
        )

    @pytest.mark.parametrize(
        ("readme", "flaw"),
        [
            (b"---\n- a list\n---\n", "no mapping"),
            (b"---\nlicense: mit\n", "never ends"),
            (b"---\nsslauth: yes, please\n---\n", "sslauth: not a mapping"),
            (b"x <!-- sslauth:begin --> y", "stands alone"),
            (b"<!-- sslauth:end --><!-- sslauth:begin -->", "wrong way round"),
        ],
    )
    def test_a_model_card_that_cannot_be_edited_without_harm(
        self, repo: HubServer, card: Path, publisher: Publisher, readme: bytes, flaw: str
    ) -> None:
        repo.commit(REPO, {"README.md": readme})
        self.refused(repo, publisher, card, PublishingRefusedError, f"README.md of org/tiny .*{flaw}")

    @pytest.mark.usefixtures("repo")
    def test_a_repository_that_is_not_there(self, card: Path, publisher: Publisher) -> None:
        with pytest.raises(EncoderError, match="org/none"):
            publisher.publish(card, "org/none")

    def test_a_repository_without_an_encoder(self, repo: HubServer, card: Path, publisher: Publisher) -> None:
        repo.commit(REPO, {}, delete=["model.safetensors"])
        self.refused(repo, publisher, card, EncoderError, "no weights")

    def test_a_local_folder_of_the_same_name_is_not_taken_for_the_repository(
        self,
        repo: HubServer,
        card: Path,
        publisher: Publisher,
        shelf: Shelf,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        import shutil

        shutil.copytree(shelf.encoder, tmp_path / REPO)
        monkeypatch.chdir(tmp_path)
        self.refused(repo, publisher, card, UsageError, "local folder|no revision")

    def test_a_damaged_card(self, repo: HubServer, card: Path, publisher: Publisher) -> None:
        (card / "watermark.png").write_bytes(b"no picture")
        self.refused(repo, publisher, card, IntegrityError, "watermark.png")

    def test_a_card_that_expired(
        self, repo: HubServer, publisher: Publisher, another_card: Callable[..., Path]
    ) -> None:
        expired = another_card(expires="2026-01-31")
        self.refused(repo, publisher, expired, PublishingRefusedError, "expired on 2026-01-31")

    def test_a_key_that_cannot_sign(
        self, repo: HubServer, card: Path, publisher: Publisher, tmp_path: Path
    ) -> None:
        pytest.importorskip("model_signing")
        unable = replace(publisher, sign_key=tmp_path / "none.pem")
        self.refused(repo, unable, card, UsageError, r"none\.pem")


class TestSignatures:
    def test_a_card_is_signed_on_the_way_and_only_once(
        self, repo: HubServer, card: Path, publisher: Publisher, tmp_path: Path
    ) -> None:
        pytest.importorskip("model_signing")
        from hf_integration.signing import verify
        from tests.signing.keys import make_keys

        (tmp_path / "keys").mkdir()
        keys = make_keys(tmp_path / "keys")
        signing = replace(publisher, sign_key=keys.private)
        done = signing.publish(card, REPO)
        assert done.signed
        assert signing.publish(card, REPO).changed == ()
        published = published_card(REPO, repo.head(REPO))
        assert verify(published.folder, keys.public) == done.digest

    def test_one_that_lies_beside_the_card_is_published_and_goes_with_the_next_card(
        self, repo: HubServer, card: Path, publisher: Publisher, another_card: Callable[..., Path]
    ) -> None:
        signature = signature_over(card)
        (card / "card.sig").write_bytes(signature)
        assert publisher.publish(card, REPO).signed
        assert repo.read(REPO, "sslauth/card.sig") == signature
        assert claims_of(repo).signed
        done = publisher.publish(another_card(created="2030-01-01T00:00:00+00:00"), REPO)
        assert not done.signed
        assert "sslauth/card.sig" not in repo.files(REPO)
        assert not claims_of(repo).signed

    @pytest.mark.usefixtures("repo")
    def test_it_stays_when_the_same_card_is_published_from_where_it_is_not(
        self, card: Path, publisher: Publisher, shelf: Shelf
    ) -> None:
        (card / "card.sig").write_bytes(signature_over(card))
        publisher.publish(card, REPO)
        again = publisher.publish(shelf.card, REPO)
        assert (again.changed, again.signed) == ((), True)

    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (lambda _: b"signature", "not valid JSON"),
            (lambda _: b"[" * 1000, "is no signature of this card"),
            (lambda _: b"{}", "needs exactly dsseEnvelope"),
            (lambda card: signature_over(card, leave_out="watermark.png"), "does not cover watermark.png"),
            (lambda card: signature_over(card, {"README.md": b"x"}), "it covers README.md as well"),
            (lambda card: signature_over(card, {"card.json": b"{}"}), "card.json is not the file"),
        ],
    )
    def test_one_that_is_none_of_this_card_is_not_published(
        self,
        repo: HubServer,
        card: Path,
        publisher: Publisher,
        monkeypatch: pytest.MonkeyPatch,
        edit: Callable[[Path], bytes],
        message: str,
    ) -> None:
        monkeypatch.setitem(sys.modules, "model_signing", None)  # it needs no extra to see that
        (card / "card.sig").write_bytes(edit(card))
        with pytest.raises(PublishingRefusedError, match=message) as raised:
            publisher.publish(card, REPO)
        assert "\n" not in str(raised.value)
        assert commits_asked_for(repo) == 0

    def test_one_that_is_none_and_was_published_before_is_not_advertised_but_removed(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        repo.commit(REPO, {**files_of(card, "sslauth/"), "sslauth/card.sig": b"signature"})
        done = publisher.publish(card, REPO)
        assert not done.signed
        assert not claims_of(repo).signed
        assert "sslauth/card.sig" not in repo.files(REPO)


class TestRevocation:
    def test_an_old_card_is_taken_back_with_the_new_one_and_stays_so(
        self, repo: HubServer, card: Path, publisher: Publisher, another_card: Callable[..., Path]
    ) -> None:
        old = publisher.publish(card, REPO).digest
        newer = another_card(created="2030-01-01T00:00:00+00:00")
        taking_back = replace(publisher, revoked=revocation(old, "from the wrong branch"))
        done = taking_back.publish(newer, REPO)
        assert claims_of(repo).revoked == (revocation(old, "from the wrong branch"),)
        assert taking_back.publish(newer, REPO).changed == ()
        assert publisher.publish(newer, REPO).changed == ()
        assert claims_of(repo).revocation(done.digest) is None
        with pytest.raises(PublishingRefusedError, match="was revoked: from the wrong branch"):
            publisher.publish(card, REPO)

    def test_a_card_can_take_itself_back_even_when_the_weights_changed_since(
        self, repo: HubServer, card: Path, publisher: Publisher, shelf: Shelf
    ) -> None:
        first = publisher.publish(card, REPO)
        repo.commit(REPO, files_of(shelf.altered))
        done = replace(publisher, revoked=revocation(first.digest, "bad")).publish(card, REPO)
        assert done.changed == ("README.md",)
        assert claims_of(repo).encoder_commit == first.encoder_commit


class TestEvaluationResults:
    def stress_report(self, digest: str) -> bytes:
        return json.dumps(
            {
                "schema": 1,
                "card": digest,
                "alterations": [{"detected": True}, {"detected": False}, {"detected": None}],
                "benign": [{"margin": 5.0, "false_alarm": False}, {"margin": None, "false_alarm": False}],
            }
        ).encode()

    @pytest.mark.usefixtures("repo")
    def test_they_are_published_with_the_card(self, card: Path, publisher: Publisher, tmp_path: Path) -> None:
        from huggingface_hub import HfApi

        from hf_integration import WatermarkCard

        file = tmp_path / "stress.json"
        file.write_bytes(self.stress_report(WatermarkCard.load(card).digest))
        replace(publisher, evaluation=file).publish(card, REPO)
        data = HfApi().model_info(REPO).card_data
        assert data is not None
        found = {result.metric_type: result.metric_value for result in data.eval_results or ()}
        assert found == {
            "alterations_tried": 2,
            "alterations_missed": 1,
            "benign_runs": 1,
            "false_alarms": 0,
        }
        assert publisher.publish(card, REPO).changed == ()

    @pytest.mark.parametrize(
        "content", [b"", b"[]", b"{}", b'{"schema": 1, "alterations": [1], "benign": []}']
    )
    def test_another_file_is_refused(
        self, repo: HubServer, card: Path, publisher: Publisher, tmp_path: Path, content: bytes
    ) -> None:
        file = tmp_path / "stress.json"
        file.write_bytes(content)
        with pytest.raises(UsageError, match="sslauth stress"):
            replace(publisher, evaluation=file).publish(card, REPO)
        assert repo.requests == []

    @pytest.mark.usefixtures("repo")
    def test_results_of_another_card_are_refused(
        self, card: Path, publisher: Publisher, tmp_path: Path
    ) -> None:
        file = tmp_path / "stress.json"
        file.write_bytes(self.stress_report("sha256:" + "0" * 64))
        with pytest.raises(UsageError, match="of another card"):
            replace(publisher, evaluation=file).publish(card, REPO)


class TestWhenTheHubMisbehaves:
    def publishes_once_it_recovered(self, repo: HubServer, card: Path, publisher: Publisher) -> Publication:
        repo.faults.clear()
        return publisher.publish(card, REPO)

    def test_somebody_who_commits_meanwhile_loses_nothing(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        def meanwhile(request, answer):  # type: ignore[no-untyped-def]
            repo.commit(REPO, {"README.md": b"# Somebody was quicker\n"})
            return answer()

        repo.faults.append(Fault(meanwhile, path="/preupload/", method="POST", times=1))
        with pytest.raises(PublishingConflictError, match=r"meanwhile; nothing was published .*again"):
            publisher.publish(card, REPO)
        assert repo.read(REPO, "README.md") == b"# Somebody was quicker\n"
        assert "sslauth/card.json" not in repo.files(REPO)
        self.publishes_once_it_recovered(repo, card, publisher)
        assert b"# Somebody was quicker\n" in repo.read(REPO, "README.md")

    @pytest.mark.parametrize(
        ("path", "method", "behaviour", "message"),
        [
            ("/preupload/", "POST", faults.status(403), "does not let you write"),
            (COMMIT, "POST", faults.status(403), "does not let you write"),
            (COMMIT, "POST", faults.status(500), "did not confirm"),
            (COMMIT, "POST", faults.html(), "did not confirm|not that of a Hub"),
            (r"/_lfs/", "PUT", faults.status(500), "did not confirm"),
            (r"/_lfs/", "PUT", faults.reset(), "did not confirm"),
            ("/api/validate-yaml", "POST", faults.html(), "did not confirm"),
        ],
    )
    def test_nothing_is_half_published(
        self,
        repo: HubServer,
        card: Path,
        publisher: Publisher,
        monkeypatch: pytest.MonkeyPatch,
        path: str,
        method: str,
        behaviour: faults.Behaviour,
        message: str,
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        head = repo.head(REPO)
        repo.faults.append(Fault(behaviour, path=path, method=method))
        with pytest.raises(InconclusiveError, match=message):
            publisher.publish(card, REPO)
        assert repo.head(REPO) == head
        assert self.publishes_once_it_recovered(repo, card, publisher).changed

    def test_a_reply_that_is_lost_after_the_commit_was_made_does_not_lead_to_a_second_one(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        def lost(request, answer):  # type: ignore[no-untyped-def]
            return replace(answer(), cut_after=0)

        repo.faults.append(Fault(lost, path=COMMIT, method="POST"))
        with pytest.raises(InconclusiveError, match="run the command again"):
            publisher.publish(card, REPO)
        made = repo.head(REPO)
        assert self.publishes_once_it_recovered(repo, card, publisher).changed == ()
        assert repo.head(REPO) == made

    def test_metadata_that_the_hub_refuses_is_said_so_without_its_words(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        from tests.hub_server.messages import Reply

        errors = {"errors": [{"message": "\x1b[31mbad"}], "warnings": [{"message": "\x1b[2J"}]}
        repo.faults.append(Fault(lambda *_: Reply.of(errors, 400), path="validate-yaml", method="POST"))
        with pytest.raises(PublishingRefusedError, match=r"the Hub refuses the README\.md") as raised:
            publisher.publish(card, REPO)
        assert "\x1b" not in str(raised.value)

    def test_a_model_card_that_was_tampered_with_on_its_way_is_not_sent_back(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        head = repo.head(REPO)
        repo.faults.append(Fault(faults.tampered(), path="/resolve/.*README.md", method="GET"))
        with pytest.raises(IntegrityError, match=r"README\.md"):
            publisher.publish(card, REPO)
        assert repo.head(REPO) == head
