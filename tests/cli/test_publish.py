"""``sslauth publish`` and ``sslauth verify ORG/NAME`` against a Hub over real HTTP, as users run them."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, finish, start
from tests.hub.conftest import card, shelf
from tests.hub.repositories import REPO, Shelf, files_of
from tests.hub_server import Fault, HubServer, faults
from tests.hub_server.fixtures import hub, hub_here

__all__ = ["card", "hub", "hub_here", "shelf"]

pytestmark = pytest.mark.usefixtures("folder")

TOKEN = "hf_" + "NobodyMayEverSeeThisOne"


Run = Callable[..., Ended]


@pytest.fixture
def repo(hub_here: HubServer, shelf: Shelf) -> HubServer:
    hub_here.create(REPO, {**files_of(shelf.encoder), "README.md": shelf.readme})
    return hub_here


@pytest.fixture
def here(sslauth: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; whatever it is told, the token is in none of its output."""
    monkeypatch.setenv("HF_TOKEN", "")  # an option sets it: restored afterwards

    def run(*arguments: str | Path) -> Ended:
        ended = sslauth(*arguments)
        assert TOKEN not in ended.out + ended.err
        assert "Traceback" not in ended.err
        return ended

    return run


@pytest.fixture
def elsewhere(here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same on a machine that has cached nothing."""

    def run(*arguments: str | Path) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "another-cache"))
            return here(*arguments)

    return run


def test_a_card_is_published_and_verified_elsewhere(
    repo: HubServer, here: Run, elsewhere: Run, card: Path
) -> None:
    repo.token = TOKEN
    published = here("publish", card, REPO, "--token", TOKEN, "--device", "cpu")
    assert published.status == 0
    assert published.out.startswith(f"PUBLISHED in {REPO}; others use it with: sslauth add {REPO}\n")
    assert repo.head(REPO) in published.out
    again = here("publish", card, REPO, "--format", "json")
    assert (again.status, json.loads(again.out)["changed"]) == (0, [])
    verified = elsewhere("verify", REPO)
    assert verified.status == 3
    assert verified.out.startswith(f"INCONCLUSIVE - this is not a pass: {REPO}\n")
    assert "trust      self-asserted" in verified.out
    assert "the weights are still those of commit" in verified.out
    assert "advertised by its model card" in verified.err
    accepted = elsewhere("verify", REPO, "--trust-self-asserted", "--format", "json")
    verdict = json.loads(accepted.out)
    assert (accepted.status, verdict["status"], verdict["trust"]) == (0, "authentic", "self-asserted")
    assert all(claim["holds"] for claim in verdict["claims"])


def test_quiet_is_one_word_and_nothing_else(repo: HubServer, here: Run, card: Path) -> None:
    published = here("publish", card, REPO, "-q")
    assert published == Ended(0, f"{repo.head(REPO)}\n", "")
    assert here("verify", REPO, "-q") == Ended(3, "inconclusive\n", "")


def test_a_pull_request(repo: HubServer, here: Run, card: Path) -> None:
    head = repo.head(REPO)
    ended = here("publish", card, REPO, "--create-pr", "--format", "quiet")
    assert (ended.status, ended.out) == (0, f"{repo.url}/{REPO}/discussions/1\n")
    assert repo.head(REPO) == head


def test_whoever_alters_the_encoder_and_pushes_a_card_for_it_gets_no_pass(
    repo: HubServer, here: Run, elsewhere: Run, card: Path, shelf: Shelf, folder: Path
) -> None:
    here("publish", card, REPO)
    repo.commit(REPO, files_of(shelf.altered))
    assert here("publish", shelf.attackers_card, REPO).status == 0
    assert elsewhere("verify", REPO).status == 3
    assert elsewhere("verify", REPO, "--card", REPO).status == 3
    assert elsewhere("verify", REPO, "--card", card).status == 1
    shutil.copytree(card, folder / "cards" / "tiny")
    assert elsewhere("verify", REPO).status == 1


def test_a_signature_holds_for_the_card_that_is_advertised(
    repo: HubServer, here: Run, elsewhere: Run, card: Path, shelf: Shelf, folder: Path
) -> None:
    pytest.importorskip("model_signing")
    from tests.signing.keys import make_keys

    publisher, attacker = (folder.parent / name for name in ("publisher", "attacker"))
    publisher.mkdir()
    attacker.mkdir()
    publishers, attackers = make_keys(publisher), make_keys(attacker)
    assert here("publish", card, REPO, "--sign-key", publishers.private).status == 0
    ended = elsewhere("verify", REPO, "--signer", publishers.public, "--format", "json")
    verdict = json.loads(ended.out)
    assert (ended.status, verdict["trust"]) == (0, "signed")
    assert "signature" in [claim["about"] for claim in verdict["claims"]]
    repo.commit(REPO, files_of(shelf.altered))
    own = shutil.copytree(shelf.attackers_card, folder.parent / "attackers-card")
    assert here("publish", own, REPO, "--sign-key", attackers.private).status == 0
    ended = elsewhere("verify", REPO, "--signer", publishers.public)
    assert (ended.status, ended.out) == (4, "")
    assert elsewhere("verify", REPO).status == 3


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (lambda hub: hub.commit(REPO, {}, delete=["sslauth/card.json"]), 3, "and there is none"),
        (lambda hub: hub.commit(REPO, {"sslauth/card.json": b"{}"}), 4, "card.json"),
        (
            lambda hub: hub.commit(
                REPO, {"README.md": hub.read(REPO, "README.md").replace(b"digest:", b"digit:")}
            ),
            4,
            "sslauth.digest: missing",
        ),
        (
            lambda hub: hub.commit(
                REPO,
                {"README.md": hub.read(REPO, "README.md").replace(b'"sha256:', b'"sha256:00', 1)[:-2]},
            ),
            4,
            "sslauth.digest",
        ),
        (
            lambda hub: hub.faults.append(Fault(faults.html(), path="/resolve/.*README")),
            3,
            "out of reach",
        ),
        (
            lambda hub: hub.faults.append(Fault(faults.tampered(), path=r"/resolve/.*README", method="GET")),
            4,
            "README.md",
        ),
        (lambda hub: hub.faults.append(Fault(faults.status(403), path="/tree/")), 3, "denied access"),
    ],
)
def test_what_is_not_so_is_said_in_one_line(
    repo: HubServer,
    here: Run,
    elsewhere: Run,
    card: Path,
    change: Callable[[HubServer], object],
    status: int,
    message: str,
) -> None:
    here("publish", card, REPO)
    change(repo)
    ended = elsewhere("verify", REPO, "--trust-self-asserted")
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert len([line for line in ended.err.splitlines() if "error:" in line]) == 1


def test_a_revoked_card_never_passes(repo: HubServer, here: Run, card: Path) -> None:
    digest = json.loads(here("publish", card, REPO, "--format", "json").out)["card"]
    ended = here("publish", card, REPO, "--revoke", digest, "--reason", "minted from the wrong branch")
    assert ended.status == 0
    verified = here("verify", REPO, "--trust-self-asserted")
    assert (verified.status, verified.out) == (3, "")
    assert "was revoked by its publisher: minted from the wrong branch" in verified.err


def test_a_pin_is_stale_once_its_card_was_revoked(repo: HubServer, here: Run, card: Path) -> None:
    digest = json.loads(here("publish", card, REPO, "--format", "json").out)["card"]
    assert here("add", REPO, "--device", "cpu").status == 0
    assert here("lock", "--check").status == 0
    pinned = here("verify", REPO, "--format", "json")
    assert (pinned.status, json.loads(pinned.out)["trust"]) == (0, "pinned")
    here("publish", card, REPO, "--revoke", digest, "--reason", "minted from the wrong branch")
    stale = here("lock", "--check")
    assert stale.status == 4
    assert "minted from the wrong branch" in stale.out + stale.err


def test_weights_that_are_newer_than_the_card_are_named(
    repo: HubServer, here: Run, card: Path, shelf: Shelf
) -> None:
    here("publish", card, REPO)
    repo.commit(REPO, {"model.safetensors": (shelf.altered / "model.safetensors").read_bytes()})
    ended = here("verify", REPO, "--trust-self-asserted")
    assert ended.status == 1
    assert "the card is older than the weights" in ended.out
    assert "DOES NOT HOLD" in ended.out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("nowhere", REPO), 2, "no card at nowhere"),
        (("CARD", "a b"), 2, "repo id"),
        (("CARD", "org/none"), 2, "org/none"),
        (("CARD", REPO, "--revoke", "sha256:" + "0" * 64), 2, "go together"),
        (("CARD", REPO, "--reason", "why"), 2, "go together"),
        (("CARD", REPO, "--revoke", "abc", "--reason", "why"), 2, "--revoke"),
        (("CARD", REPO, "--revoke", "sha256:" + "0" * 64, "--reason", "a\nb"), 2, "--reason"),
        (("CARD", REPO, "--evaluation-results", "none.json"), 2, "none.json"),
    ],
)
def test_bad_input_ends_with_2(
    repo: HubServer, here: Run, card: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    head = repo.head(REPO)
    ended = here("publish", *(card if argument == "CARD" else argument for argument in arguments))
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert repo.head(REPO) == head


def test_a_wrong_token_is_no_secret_that_is_told(repo: HubServer, here: Run, card: Path) -> None:
    repo.token = "hf_" + "AnotherOne"
    head = repo.head(REPO)
    ended = here("publish", card, REPO, "--token", TOKEN)
    assert (ended.status, ended.out) == (3, "")
    assert "denied access" in ended.err
    assert repo.head(REPO) == head


@pytest.mark.parametrize("path", ["/_lfs/", "/commit/"])
def test_a_process_that_is_killed_leaves_the_repository_as_it_was(
    repo: HubServer, card: Path, path: str, tmp_path: Path
) -> None:
    head, files = repo.head(REPO), repo.files(REPO)

    def stalled(request, answer):  # type: ignore[no-untyped-def]
        process.send_signal(signal.SIGKILL)
        process.wait()
        from tests.hub_server.messages import Reply

        return Reply(500)

    repo.faults.append(Fault(stalled, path=path, method="POST|PUT", times=1))
    process = start("publish", card, REPO, env=repo.environment(tmp_path / "home"))
    assert finish(process).status == -signal.SIGKILL
    assert (repo.head(REPO), repo.files(REPO)) == (head, files)


def test_two_who_publish_at_once_lose_nothing(repo: HubServer, card: Path, tmp_path: Path) -> None:
    homes = (tmp_path / "one", tmp_path / "other")
    running = [start("publish", card, REPO, env=repo.environment(home)) for home in homes]
    statuses = sorted(finish(process).status for process in running)
    assert statuses in ([0, 0], [0, 3])
    assert b"It embeds." in repo.read(REPO, "README.md")
    assert repo.read(REPO, "README.md").count(b"sslauth:begin") == 1
    history = [commit.title for _, commit in repo.repository(REPO).history(repo.head(REPO))]
    assert sum(title.startswith("Watermark card") for title in history) == 1
