"""A signer in ``sslauth.toml`` holds in pytest: without that signature nothing passes."""

from pathlib import Path

import pytest

# of an extra, which the oldest environment is without; here, as pytester forgets what a test imports, and
# cryptography cannot be imported twice
pytest.importorskip("model_signing.verifying")

from hf_integration.signing import sign
from tests.signing.keys import KeyPair, make_keys

pytest_plugins = ["pytester"]

TEST = """
    import pytest

    @pytest.mark.sslauth("search")
    def test_search():
        pass
"""

PINS = """
version = 1
[encoders.search]
path = "models/tiny"
card = "cards/tiny"
signer = "key.pub"
"""


@pytest.fixture
def pinned(project: pytest.Pytester) -> tuple[pytest.Pytester, KeyPair]:
    """A project whose encoder's card has to be signed, and the keys of the signer."""
    keys = make_keys(project.path)
    (project.path / "sslauth.toml").write_text(PINS)
    project.makepyfile(TEST)
    return project, keys


def card(project: pytest.Pytester) -> Path:
    return project.path / "cards" / "tiny"


def test_a_card_that_the_signer_signed_passes(pinned: tuple[pytest.Pytester, KeyPair]) -> None:
    project, keys = pinned
    sign(card(project), keys.private)
    project.runpytest().assert_outcomes(passed=1)


def test_a_card_that_is_pinned_as_well_is_said_to_be_both(pinned: tuple[pytest.Pytester, KeyPair]) -> None:
    from hf_integration import WatermarkCard

    project, keys = pinned
    digest = WatermarkCard.load(card(project)).digest
    file = project.path / "sslauth.toml"
    file.write_text(f'{file.read_text()}card_digest = "{digest}"\n')
    sign(card(project), keys.private)
    result = project.runpytest("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["authentic     search  (*trust pinned and signed,*"])
    (card(project) / "card.sig").unlink()  # the digest still fits
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *no usable signature by the key *key.pub*"])


def test_an_unsigned_card_fails(pinned: tuple[pytest.Pytester, KeyPair]) -> None:
    result = pinned[0].runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *no usable signature by the key *key.pub*"])


def test_a_card_that_somebody_else_signed_fails(
    pinned: tuple[pytest.Pytester, KeyPair], tmp_path_factory: pytest.TempPathFactory
) -> None:
    sign(card(pinned[0]), make_keys(tmp_path_factory.mktemp("other")).private)
    result = pinned[0].runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: *was not made by the key *, but with another key*"])
