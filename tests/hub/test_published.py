"""What a model card claims is checked, claim by claim; none that is broken is a pass, accepted or not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hf_integration import Authenticator, WatermarkCard, load_encoder
from hf_integration.base.errors import (
    CardError,
    CardNotFoundError,
    IntegrityError,
    ModelCardError,
    ModelCardRefusedError,
    SSLAuthError,
)
from hf_integration.hub import Publisher, published_card, revocation, revocation_reason, with_claims
from hf_integration.report import render
from hf_integration.verdict import Verdict
from tests.hub.repositories import REPO, Shelf, files_of, signature_over
from tests.hub_server import Fault, HubServer, faults


def verdict_of(hub: HubServer, *, accept: bool = False, repo: str = REPO) -> Verdict:
    commit = hub.head(repo)
    published = published_card(repo, commit)
    encoder = load_encoder(repo, revision=commit, device="cpu")
    checked = Authenticator(card=published.card, accept_self_asserted=accept).authenticate(encoder)
    verdict = with_claims(checked.verdict, published, encoder)
    assert Verdict.from_dict(verdict.to_dict()) == verdict
    return verdict


def refused(hub: HubServer, error: type[SSLAuthError], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        published_card(REPO, hub.head(REPO))
    assert "\n" not in str(raised.value)


@pytest.fixture
def published(repo: HubServer, card: Path, publisher: Publisher) -> HubServer:
    publisher.publish(card, REPO)
    return repo


def claimed(hub: HubServer, old: bytes, new: bytes) -> None:
    """Change what the model card says."""
    readme = hub.read(REPO, "README.md")
    assert old in readme
    hub.commit(REPO, {"README.md": readme.replace(old, new)})


class TestAnUntouchedRepository:
    def test_all_claims_hold_and_still_only_the_repository_vouches_for_them(
        self, published: HubServer
    ) -> None:
        verdict = verdict_of(published)
        assert [claim.about for claim in verdict.claims] == [
            "digest",
            "standing",
            "date",
            "repository",
            "encoder commit",
            "files",
            "tensors",
            "watermark",
            "embedding width",
        ]
        assert all(claim.holds for claim in verdict.claims)
        assert (verdict.status, verdict.trust, verdict.exit_status) == ("inconclusive", "self-asserted", 3)
        assert "sslauth add" in verdict.diagnosis[-1]
        assert "what its model card claims:" in render(verdict)
        assert "DOES NOT HOLD" not in render(verdict)

    def test_it_passes_for_whoever_believes_the_repository(self, published: HubServer) -> None:
        assert verdict_of(published, accept=True).authentic

    def test_a_card_that_is_not_advertised_is_found_and_claims_nothing(
        self, repo: HubServer, card: Path
    ) -> None:
        repo.commit(REPO, files_of(card, "sslauth/"))
        verdict = verdict_of(repo)
        assert (verdict.status, verdict.claims) == ("inconclusive", ())

    def test_no_card_at_all_is_said_so(self, repo: HubServer) -> None:
        refused(repo, CardNotFoundError, "neither advertises one nor holds one in sslauth/.*sslauth mint")

    def test_only_the_card_and_the_model_card_are_fetched_of_it(self, published: HubServer) -> None:
        published.requests.clear()
        published_card(REPO, published.head(REPO))
        fetched = {r.path.rpartition("/")[2] for r in published.requests if "/resolve/" in r.path}
        assert fetched <= {"README.md", "card.json", "card.safetensors", "watermark.png"}


class TestBrokenClaims:
    def test_a_card_that_is_missing(self, published: HubServer) -> None:
        names = [name for name in published.files(REPO) if name.startswith("sslauth/")]
        published.commit(REPO, {}, delete=names)
        refused(published, CardNotFoundError, "advertises a watermark card in sslauth/, and there is none")

    def test_a_part_of_it_that_is_missing(self, published: HubServer) -> None:
        published.commit(REPO, {}, delete=["sslauth/watermark.png"])
        refused(published, CardError, r"watermark\.png: the file is missing")

    def test_another_card_than_the_advertised_one_with_both_digests(
        self, published: HubServer, shelf: Shelf
    ) -> None:
        published.commit(REPO, files_of(shelf.attackers_card, "sslauth/"))
        old, new = (WatermarkCard.load(card).digest for card in (shelf.card, shelf.attackers_card))
        refused(published, ModelCardError, f"{old}, and the one in sslauth/ is {new}")

    def test_a_revoked_card_with_the_reason(
        self, published: HubServer, card: Path, publisher: Publisher
    ) -> None:
        digest = WatermarkCard.load(card).digest
        assert revocation_reason(REPO, published.head(REPO), digest) is None
        replace(publisher, revoked=revocation(digest, "minted from the wrong branch")).publish(card, REPO)
        assert revocation_reason(REPO, published.head(REPO), digest) == "minted from the wrong branch"
        refused(
            published, ModelCardRefusedError, "was revoked by its publisher: minted from the wrong branch"
        )

    def test_a_card_that_expired_whether_it_is_advertised_or_not(
        self, published: HubServer, card: Path, another_card: Callable[..., Path]
    ) -> None:
        expired = another_card(expires="2026-01-31")
        published.commit(REPO, files_of(expired, "sslauth/"))
        old, new = (WatermarkCard.load(folder).digest.encode() for folder in (card, expired))
        claimed(published, old + b'"\n', new + b'"\n  expires: 2026-01-31\n')
        refused(published, ModelCardRefusedError, "expired on 2026-01-31")
        published.commit(REPO, {"README.md": b"# nothing is advertised"})
        refused(published, ModelCardRefusedError, "expired on 2026-01-31")

    def test_a_card_that_will_expire_says_when(
        self, repo: HubServer, another_card: Callable[..., Path], publisher: Publisher
    ) -> None:
        publisher.publish(another_card(expires="2126-01-31"), REPO)
        verdict = verdict_of(repo, accept=True)
        assert verdict.authentic
        assert "good until 2126-01-31" in {claim.says for claim in verdict.claims}

    def test_a_date_that_only_the_model_card_states(self, published: HubServer) -> None:
        claimed(published, b"  embedding_dim: 32\n", b"  embedding_dim: 32\n  expires: 2126-01-31\n")
        refused(published, ModelCardError, "says that its card expires 2126-01-31; the card says never")

    def test_a_card_of_another_repository(self, repo: HubServer, another_card: Callable[..., Path]) -> None:
        others = another_card(encoder_name="org/other", commit=repo.head(REPO))
        repo.create("org/other", files_of(others, "sslauth/"))
        repo.commit(REPO, files_of(others, "sslauth/"))
        refused(repo, ModelCardRefusedError, "was minted for another repository, org/other")

    def test_a_repository_that_was_copied_whole(self, published: HubServer) -> None:
        published.create("evil/tiny", published.files(REPO))
        verdict = verdict_of(published, repo="evil/tiny", accept=True)
        assert verdict.status == "inconclusive"
        assert "which this repository does not have" in verdict.reason

    def test_a_repository_that_was_renamed_is_still_the_cards(
        self, repo: HubServer, another_card: Callable[..., Path], publisher: Publisher
    ) -> None:
        def now_called_tiny(answered):  # type: ignore[no-untyped-def]
            return {**answered, "id": REPO, "modelId": REPO}

        repo.create("org/before", {})
        repo.faults.append(Fault(faults.edited(now_called_tiny), path="^/api/models/org/before"))
        old = another_card(encoder_name="org/before", commit=repo.head(REPO))
        publisher.publish(old, REPO)
        assert verdict_of(repo, accept=True).authentic

    def test_weights_that_changed_since(self, published: HubServer, shelf: Shelf) -> None:
        published.commit(REPO, {"model.safetensors": (shelf.altered / "model.safetensors").read_bytes()})
        verdict = verdict_of(published, accept=True)
        assert verdict.status == "altered"
        assert verdict.reason.startswith("the card is older than the weights: it was published for commit ")
        assert "model.safetensors changed since; 1 of 37 tensors changed" in verdict.reason
        assert {claim.about for claim in verdict.claims if not claim.holds} == {
            "encoder commit",
            "tensors",
            "watermark",
        }
        assert render(verdict).count("DOES NOT HOLD") == 3

    def test_weights_that_were_only_written_anew_are_not_those_that_are_claimed(
        self, published: HubServer, shelf: Shelf, tmp_path: Path
    ) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(shelf.encoder / "model.safetensors")
        save_file(tensors, tmp_path / "anew", metadata={"format": "pt", "by": "another program"})
        published.commit(REPO, {"model.safetensors": (tmp_path / "anew").read_bytes()})
        verdict = verdict_of(published, accept=True)
        assert (verdict.status, verdict.margin) == ("inconclusive", None)
        assert "older than the weights" in verdict.reason
        assert "publish a card of these weights" in verdict.diagnosis[-1]

    def test_an_encoder_commit_that_the_repository_does_not_have(self, published: HubServer) -> None:
        claims = published.head(REPO, "main")
        readme = published.read(REPO, "README.md").decode()
        commit = readme.partition('encoder_commit: "')[2][:40]
        assert commit != claims
        claimed(published, commit.encode(), b"f" * 40)
        verdict = verdict_of(published, accept=True)
        assert verdict.status == "inconclusive"
        assert f"commit {'f' * 40}, which this repository does not have" in verdict.reason

    def test_an_encoder_commit_that_cannot_be_looked_up(
        self, published: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        commit = published.read(REPO, "README.md").decode().partition('encoder_commit: "')[2][:40]
        published.faults.append(Fault(faults.status(503), path=f"/tree/{commit}"))
        # a machine that did not publish it, and so remembers nothing of that commit
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "another-cache"))
        verdict = verdict_of(published, accept=True)
        assert verdict.status == "inconclusive"
        assert "could not be looked up" in verdict.reason

    def test_another_width_of_the_embedding(self, published: HubServer) -> None:
        claimed(published, b"embedding_dim: 32", b"embedding_dim: 64")
        verdict = verdict_of(published, accept=True)
        assert verdict.status == "inconclusive"
        assert "the embeddings are 32 wide; the model card says 64, the card 32" in verdict.reason

    def test_settings_that_differ(self, published: HubServer) -> None:
        config = published.read(REPO, "config.json").replace(b'"gelu"', b'"relu"')
        published.commit(REPO, {"config.json": config})
        verdict = verdict_of(published, accept=True)
        assert verdict.status == "altered"
        assert "files" in {claim.about for claim in verdict.claims if not claim.holds}

    def test_a_signature_that_is_claimed_and_missing(
        self, repo: HubServer, card: Path, publisher: Publisher
    ) -> None:
        (card / "card.sig").write_bytes(signature_over(card))
        publisher.publish(card, REPO)
        assert all(claim.holds for claim in verdict_of(repo).claims)
        repo.commit(REPO, {}, delete=["sslauth/card.sig"])
        verdict = verdict_of(repo, accept=True)
        assert verdict.status == "inconclusive"
        assert "card.sig is missing" in verdict.reason

    def test_a_card_of_another_encoder_altogether(self, published: HubServer, tmp_path: Path) -> None:
        from tests.encoders import tiny_models

        published.commit(REPO, files_of(tiny_models.save("distilbert", tmp_path / "other")))
        verdict = verdict_of(published, accept=True)
        assert verdict.status == "altered"
        assert "older than the weights" in verdict.reason

    @pytest.mark.parametrize(
        ("old", "new", "flaw"),
        [
            (b'card: "sslauth"', b'card: "../../etc"', "sslauth.card: no folder of this repository"),
            (b"schema: 1", b"schema: 7", "version 7, this version .*upgrade pytest-sslauth"),
            (b'digest: "sha256:', b'digest: "md5:', "sslauth.digest: no SHA-256 digest"),
            (b"sslauth:\n", b"sslauth: soon\nother:\n", "sslauth: not a mapping"),
            (b"license: mit", b"license: mit\nlicense: apache", "has this key twice"),
            (b"license: mit", b"\xff", "not UTF-8"),
        ],
    )
    def test_claims_that_cannot_be_read(
        self, published: HubServer, old: bytes, new: bytes, flaw: str
    ) -> None:
        claimed(published, old, new)
        refused(published, ModelCardError, f"README.md: .*{flaw}")

    def test_a_readme_without_end_is_not_fetched(self, published: HubServer) -> None:
        published.commit(REPO, {"README.md": b"x" * ((8 << 20) + 1)})
        refused(published, ModelCardError, "more than")
        assert not any("README.md" in request.path for request in published.requests[-3:])

    def test_a_card_without_end_is_not_fetched(self, published: HubServer) -> None:
        published.commit(REPO, {"sslauth/card.json": b" " * ((8 << 20) + 1)})
        refused(published, IntegrityError, "sslauth/card.json has 8388609 bytes")


class TestTheAttackerWhoPushesBoth:
    """Alter the encoder, mint a new card for it, publish both with every claim in order."""

    @pytest.fixture
    def attacked(self, published: HubServer, shelf: Shelf, publisher: Publisher) -> HubServer:
        published.commit(REPO, files_of(shelf.altered))
        publisher.publish(shelf.attackers_card, REPO)
        return published

    def test_all_claims_hold_and_it_does_not_pass(self, attacked: HubServer) -> None:
        verdict = verdict_of(attacked)
        assert all(claim.holds for claim in verdict.claims)
        assert (verdict.status, verdict.trust) == ("inconclusive", "self-asserted")

    @pytest.mark.usefixtures("attacked")
    def test_nor_through_the_library(self) -> None:
        from hf_integration import authenticate

        card = WatermarkCard.load(REPO)
        assert authenticate(load_encoder(REPO, device="cpu"), card).status == "inconclusive"

    @pytest.mark.usefixtures("attacked")
    def test_the_card_from_before_finds_it(self, shelf: Shelf) -> None:
        from hf_integration import authenticate

        verdict = authenticate(load_encoder(REPO, device="cpu"), WatermarkCard.load(shelf.card))
        assert verdict.status == "altered"
