"""``sslauth.assert_model_card``: Hub repositories by the card that they publish, over real HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hf_integration import load_encoder
from hf_integration.hub import Publisher
from tests.hub.conftest import card, shelf
from tests.hub.repositories import REPO, Shelf, files_of
from tests.hub_server import HubServer
from tests.hub_server.fixtures import hub, hub_here

pytest_plugins = ["pytester"]

__all__ = ["card", "hub", "hub_here", "shelf"]

BY_ITS_OWN_CARD = f"""
import pytest

@pytest.mark.sslauth("{REPO}", card="{REPO}")
def test_marked():
    pass

def test_called(sslauth):
    sslauth.assert_authentic("{REPO}", card="{REPO}")

def test_without_a_card(sslauth):
"""


@pytest.fixture
def published(hub_here: HubServer, shelf: Shelf, card: Path) -> HubServer:
    hub_here.create(REPO, {**files_of(shelf.encoder), "README.md": shelf.readme})
    publish(card)
    return hub_here


def publish(card: Path) -> None:
    Publisher(load=lambda name, commit, _: load_encoder(name, revision=commit, device="cpu")).publish(
        card, REPO
    )


@pytest.fixture
def asking(plugged: pytest.Pytester, published: HubServer) -> Callable[..., pytest.RunResult]:
    """Runs a test that asserts the repository's model card."""
    import pytest_sslauth.checks  # noqa: F401  # what it imports cannot be imported twice

    def run(*options: str) -> pytest.RunResult:
        plugged.makepyfile(
            f"""
            def test_model_card(sslauth):
                verdict = sslauth.assert_model_card("{REPO}")
                assert verdict.authentic
                assert all(claim.holds for claim in verdict.claims)
                assert len(verdict.claims) == 9
                assert sslauth.assert_model_card("{REPO}") is verdict
            """
        )
        return plugged.runpytest("--sslauth-device", "cpu", *options)

    return run


ACCEPT = "--sslauth-accept-self-asserted"


def test_only_the_repository_vouches_for_its_card_which_is_no_pass(
    asking: Callable[..., pytest.RunResult],
) -> None:
    result = asking("-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"INCONCLUSIVE - this is not a pass: {REPO}", "*encoder commit*the weights are still those of*"]
    )


def test_whoever_believes_the_repository_gets_the_verdict_with_its_claims(
    asking: Callable[..., pytest.RunResult], published: HubServer
) -> None:
    asking(ACCEPT).assert_outcomes(passed=1)


def pin(project: pytest.Pytester, hub: HubServer, card: Path) -> None:
    from hf_integration import WatermarkCard

    digest, commit = WatermarkCard.load(card).digest, hub.head(REPO)
    (project.path / "sslauth.toml").write_text(
        f'version = 1\n[encoders.tiny]\nrepo = "{REPO}"\ncommit = "{commit}"\ncard_digest = "{digest}"\n'
    )


def test_a_pinned_card_passes_and_one_that_took_its_place_does_not(
    asking: Callable[..., pytest.RunResult],
    published: HubServer,
    plugged: pytest.Pytester,
    card: Path,
    shelf: Shelf,
) -> None:
    pin(plugged, published, card)
    asking().assert_outcomes(passed=1)
    published.commit(REPO, files_of(shelf.altered))
    publish(shelf.attackers_card)
    asking().assert_outcomes(passed=1)  # the pinned commit is what is checked
    pin(plugged, published, card)
    result = asking()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *sslauth.toml pins sha256:*"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "file.write_text(file.read_text().replace('sha256:', 'sha256:0')[:-3] + '\"\\n')",
            "*is not the pinned one*",
        ),
        ("file.write_text(file.read_text() + 'signer = \"absent.pub\"\\n')", "NOT CHECKED: *"),
        ("file.unlink()", "INCONCLUSIVE*"),
        ("model_cards.today = lambda: __import__('datetime').date(2999, 1, 1)", ""),
    ],
    ids=["another digest", "a signer", "no pins", "another day"],
)
def test_a_pass_is_not_remembered_across_a_change_of_the_pins_or_the_day(
    plugged: pytest.Pytester, published: HubServer, card: Path, change: str, says: str
) -> None:
    import pytest_sslauth.checks  # noqa: F401  # what it imports cannot be imported twice

    pin(plugged, published, card)
    plugged.makepyfile(
        f"""
        import pathlib

        import pytest_sslauth.checks as model_cards

        def test_model_card(sslauth):
            first = sslauth.assert_model_card("{REPO}")
            assert sslauth.assert_model_card("{REPO}") is first
            file = pathlib.Path("sslauth.toml")
            {change}
            assert sslauth.assert_model_card("{REPO}") is not first
        """
    )
    result = plugged.runpytest("--sslauth-device", "cpu")
    result.assert_outcomes(failed=1 if says else 0, passed=0 if says else 1)
    if says:
        result.stdout.fnmatch_lines([says])


def test_whoever_alters_the_encoder_and_pushes_a_card_for_it_gets_no_pass(
    asking: Callable[..., pytest.RunResult], published: HubServer, shelf: Shelf
) -> None:
    published.commit(REPO, files_of(shelf.altered))
    publish(shelf.attackers_card)
    result = asking()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*only the checked repository itself vouches for this card*"])


def test_the_same_attack_on_the_marker_and_on_the_other_assertion(
    plugged: pytest.Pytester, published: HubServer, shelf: Shelf
) -> None:
    published.commit(REPO, files_of(shelf.altered))
    publish(shelf.attackers_card)
    plugged.makepyfile(f'{BY_ITS_OWN_CARD}    sslauth.assert_authentic("{REPO}")\n')
    plugged.runpytest("--sslauth-device", "cpu").assert_outcomes(failed=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda hub, _shelf: hub.commit(REPO, {}, delete=["sslauth/card.json"]),
            "NOT CHECKED: *advertises a watermark card in sslauth/, and there is none*",
        ),
        (
            lambda hub, shelf: hub.commit(REPO, files_of(shelf.attackers_card, "sslauth/")),
            "NOT CHECKED: *advertises the card sha256:*, and the one in sslauth/ is sha256:*",
        ),
        (
            lambda hub, shelf: hub.commit(REPO, files_of(shelf.altered)),
            "the card is older than the weights: *model.safetensors changed since; 1 of 37 tensors*",
        ),
    ],
)
def test_a_claim_that_is_not_so_is_named(
    asking: Callable[..., pytest.RunResult],
    published: HubServer,
    shelf: Shelf,
    change: Callable[[HubServer, Shelf], object],
    message: str,
) -> None:
    change(published, shelf)
    result = asking(ACCEPT)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])


def test_a_local_folder_has_no_model_card(plugged: pytest.Pytester) -> None:
    (plugged.path / "org" / "tiny").mkdir(parents=True)
    plugged.makepyfile(
        f"""
        import contextlib

        def test_model_card(sslauth):
            with contextlib.suppress(Exception):
                sslauth.assert_model_card("{REPO}")
        """
    )
    result = plugged.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *no model card on the Hub*assert_authentic*"])


def test_a_card_that_was_taken_back_passes_nowhere_whoever_is_believed(
    plugged: pytest.Pytester, published: HubServer, card: Path
) -> None:
    from hf_integration import WatermarkCard
    from hf_integration.hub import revocation

    taken_back = revocation(WatermarkCard.load(card).digest, "minted from the wrong branch")
    Publisher(
        load=lambda name, commit, _: load_encoder(name, revision=commit, device="cpu"), revoked=taken_back
    ).publish(card, REPO)
    plugged.makepyfile(f'{BY_ITS_OWN_CARD}    sslauth.assert_model_card("{REPO}")\n')
    result = plugged.runpytest("--sslauth-device", "cpu", ACCEPT)
    outcomes = result.parseoutcomes()
    assert outcomes.get("passed", 0) == 0
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 3
    result.stdout.fnmatch_lines(["*minted from the wrong branch*"])
