"""Cards that no test used are named after a whole run, and a name that means nothing gets the closest one."""

import shutil

import pytest

from tests.endpoints.encoders import serving
from tests.endpoints.server import EmbeddingServer

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.sslauth("models/tiny")
def test_marked():
    pass

def test_other():
    pass
"""


@pytest.fixture
def cards(project: pytest.Pytester) -> pytest.Pytester:
    """A project with one test of ``models/tiny``, and two cards more than that needs."""
    project.makeini("[pytest]\n")
    for name in ("old", "older"):
        shutil.copytree(project.path / "cards/tiny", project.path / "cards" / name)
    (project.path / "cards/notes").mkdir()
    project.makepyfile(test_app=TESTS)
    return project


SAID = "sslauth: 2 cards in cards that no test used: old, older"


def said(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "that no test used" in line]


def test_they_are_named_after_a_whole_run(cards: pytest.Pytester) -> None:
    result = cards.runpytest()
    result.assert_outcomes(passed=2)
    assert said(result) == [SAID]


def test_a_project_without_cards_hears_nothing(plugged: pytest.Pytester) -> None:
    plugged.makeini("[pytest]\n")
    plugged.makepyfile("def test_app():\n    pass\n")
    assert not said(plugged.runpytest())
    (plugged.path / "cards").write_text("no folder")
    (plugged.path / "cards").unlink()
    (plugged.path / "cards/tarot").mkdir(parents=True)
    assert not said(plugged.runpytest())


WAYS = {
    "marker": '@pytest.mark.sslauth("models/tiny")\ndef test_old():\n    pass',
    "named": '@pytest.mark.sslauth("models/tiny", card="cards/old")\ndef test_old():\n    pass',
    "called": 'def test_old(sslauth):\n    sslauth.authenticate("models/tiny", card="cards/old")',
    "fails": '@pytest.mark.sslauth("models/absent", card="cards/old")\ndef test_old():\n    pass',
    "in memory": "def test_old(sslauth):\n    from hf_integration import load_encoder\n"
    '    sslauth.authenticate(load_encoder("models/tiny", device="cpu"), card="cards/old")',
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_uses_a_card_uses_it(cards: pytest.Pytester, way: str) -> None:
    cards.makepyfile(test_old=f"import pytest\n{WAYS[way]}\n")
    (line,) = said(cards.runpytest())
    assert line == (SAID if way == "marker" else "sslauth: 1 card in cards that no test used: older")


def test_an_endpoint_uses_the_card_of_its_copy(cards: pytest.Pytester) -> None:
    with EmbeddingServer("tei", serving(cards.path / "models/tiny")) as server:
        cards.makepyfile(
            test_old="def test_old(sslauth):\n"
            f'    sslauth.assert_endpoint("models/tiny", "{server.url}", api="tei", card="cards/old")\n'
        )
        (line,) = said(cards.runpytest())
    assert line.endswith("used: older")


def test_a_skipped_test_is_mentioned(cards: pytest.Pytester) -> None:
    cards.makepyfile(
        test_old='import pytest\n@pytest.mark.skip\n@pytest.mark.sslauth("a", card="cards/old")\n'
        "def test_old():\n    pass\n"
    )
    assert said(cards.runpytest()) == ["sslauth: 2 cards in cards that no test used (skipped: 1): old, older"]


DESELECTING = """
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=[items.pop()])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("test_app.py",),
        (".",),
        ("-k", "marked"),
        ("-m", "sslauth"),
        ("--deselect", "test_app.py::test_other"),
        ("--ignore", "absent"),
        ("--ignore-glob", "absent*"),
        ("--collect-only",),
        ("--lf",),
        ("-x",),
        ("--maxfail=1",),
    ],
    ids=" ".join,
)
def test_after_a_part_of_a_run_nothing_is_said(cards: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    if arguments in (("--lf",), ("-x",), ("--maxfail=1",)):
        with (cards.path / "test_app.py").open("a") as stream:
            stream.write("\ndef test_fails():\n    assert False\n\ndef test_last():\n    pass\n")
        assert said(cards.runpytest())
    assert not said(cards.runpytest(*arguments))


def test_nor_where_a_plugin_or_a_folder_leaves_tests_out(cards: pytest.Pytester) -> None:
    cards.makeconftest(DESELECTING)
    assert not said(cards.runpytest())
    (cards.path / "conftest.py").unlink()
    (cards.path / "test_broken.py").write_text("import absent_module\n")
    assert not said(cards.runpytest("--continue-on-collection-errors"))


def test_workers_tell_what_they_used_and_left_out(cards: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    cards.makepyfile(test_app="def test_one():\n    pass\n\ndef test_two():\n    pass\n")
    every = "sslauth: 3 cards in cards that no test used: old, older, tiny"
    assert said(cards.runpytest_subprocess("-n2")) == [every]
    cards.makeconftest(DESELECTING)
    assert not said(cards.runpytest_subprocess("-n2"))


class TestTheClosestName:
    @pytest.fixture
    def named(self, project: pytest.Pytester) -> pytest.Pytester:
        (project.path / "sslauth.toml").write_text(
            'version = 1\n[encoders.minilm]\npath = "models/tiny"\ncard = "cards/tiny"\n'
        )
        return project

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("minlm", "minilm"),
            ("MiniLM", None),
            ("models/tiy", "models/tiny"),
            ("./models/tin", "models/tiny"),
            ("models/tiny/x/y", None),
            ("another/thing", None),
        ],
    )
    def test_is_suggested(self, named: pytest.Pytester, name: str, meant: str | None) -> None:
        named.makepyfile(
            f'def test_app(sslauth):\n    sslauth.assert_authentic("{name}", card="cards/tiny")\n'
        )
        result = named.runpytest()
        result.assert_outcomes(failed=1)
        found = [line for line in result.outlines if "did you mean" in line]
        assert all(f"did you mean '{meant}'?" in line for line in found)
        assert bool(found) == (meant is not None)

    def test_is_inert(self, named: pytest.Pytester) -> None:
        (named.path / "models" / "evi\x1b[31m").mkdir()
        named.makepyfile(
            'def test_app(sslauth):\n    sslauth.assert_authentic("models/evi[31m", card="cards/tiny")\n'
        )
        text = named.runpytest("--color=no").stdout.str()
        assert "did you mean" in text
        assert "\x1b" not in text
