"""A publisher in ``sslauth.toml`` holds in pytest: without that signature over the encoder nothing passes."""

import shutil

import pytest

# of an extra, which the oldest environment is without; here, as pytester forgets what a test imports, and
# cryptography cannot be imported twice
pytest.importorskip("model_signing.verifying")

from tests.signing.keys import KeyPair, make_keys
from tests.signing.model_signatures import sign_model

pytest_plugins = ["pytester"]

TEST = """
    import pytest

    @pytest.mark.sslauth("search")
    def test_search():
        pass

    def test_fixture(sslauth):
        sslauth.assert_authentic("search")
"""

PINS = """
version = 1
[encoders.search]
path = "models/tiny"
card = "cards/tiny"
publisher = "key.pub"
"""


@pytest.fixture
def pinned(project: pytest.Pytester) -> tuple[pytest.Pytester, KeyPair]:
    """A project whose encoder has to be signed, and the keys of its publisher."""
    keys = make_keys(project.path)
    (project.path / "sslauth.toml").write_text(PINS)
    project.makepyfile(TEST)
    return project, keys


def test_an_encoder_that_its_publisher_signed_passes(pinned: tuple[pytest.Pytester, KeyPair]) -> None:
    project, keys = pinned
    sign_model(project.path / "models" / "tiny", keys.private)
    project.runpytest("-k", "not toml").assert_outcomes(passed=2)


def test_an_unsigned_encoder_and_one_by_somebody_else_fail(
    pinned: tuple[pytest.Pytester, KeyPair], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project, keys = pinned
    result = project.runpytest("-k", "not toml")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*NOT CHECKED: *no usable signature by the key *key.pub*"])
    sign_model(project.path / "models" / "tiny", keys.private)
    shutil.copy(make_keys(tmp_path_factory.mktemp("other")).public, project.path / "key.pub")
    project.runpytest("-k", "not toml").assert_outcomes(failed=2)


def test_a_key_that_is_replaced_while_tests_run_is_noticed(
    pinned: tuple[pytest.Pytester, KeyPair], tmp_path_factory: pytest.TempPathFactory
) -> None:
    project, keys = pinned
    sign_model(project.path / "models" / "tiny", keys.private)
    other = make_keys(tmp_path_factory.mktemp("other")).public
    project.makepyfile(
        f"""
        import shutil

        def test_first(sslauth):
            sslauth.assert_authentic("search")

        def test_second(sslauth):
            shutil.copy({str(other)!r}, "key.pub")
            sslauth.assert_authentic("search")
        """
    )
    project.runpytest("-k", "not toml").assert_outcomes(passed=1, failed=1)
