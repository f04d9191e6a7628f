"""A name that begins with ``~`` means a folder of the user's, wherever a test may write a name."""

import shutil

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def home(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """``~/encoders/tiny`` and ``~/cards/tiny``, and nothing below rootdir."""
    folder = project.mkdir("home")
    (folder / "encoders").mkdir()
    shutil.move(project.path / "models" / "tiny", folder / "encoders" / "tiny")
    shutil.move(project.path / "cards", folder / "cards")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return project


NAMES = 'encoder="~/encoders/tiny", card="~/cards/tiny"'
TESTS = {
    "marker": f"@pytest.mark.sslauth({NAMES})\ndef test_it(): pass",
    "call": f"def test_it(sslauth): assert sslauth.authenticate({NAMES}).authentic",
    "hand-over": f"def test_it(sslauth): assert sslauth.assert_authentic({NAMES}).path.name == 'tiny'",
    "parameter": (
        f"@pytest.mark.parametrize('authentic_encoder', [dict({NAMES})], indirect=True)\n"
        "def test_it(authentic_encoder): assert authentic_encoder.path.name == 'tiny'"
    ),
}


@pytest.mark.parametrize("place", TESTS)
def test_a_folder_below_the_home_folder_is_found(home: pytest.Pytester, place: str) -> None:
    home.makepyfile(f"import pytest\n{TESTS[place]}")
    home.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
