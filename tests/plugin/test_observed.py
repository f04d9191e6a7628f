"""``--sslauth-observe``: what a run loaded and never authenticated."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hf_integration.loading.interception import INTERCEPTION

pytest_plugins = ["pytester"]

LOADS = """
import transformers

FOLDER = "models/tiny"

def load():
    return transformers.AutoModel.from_pretrained(FOLDER)
"""
TWO_TESTS = f"""{LOADS}
def test_one():
    load()

def test_two():
    load()
    load()
"""
ADVICE = [
    "*sslauth: loaded and never authenticated*",
    "models/tiny  by from_pretrained",
    "  test_app.py:6, in test_app.py::test_one (3 times)",
    "  add to sslauth.toml:",
    "    [[]encoders.tiny[]]",
    '    path = "models/tiny"',
    '    card = "cards/tiny"',
    '    card_digest = "sha256:*"',
    "  nothing was checked yet: `sslauth verify tiny`, or pytest, does that",
]
WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "two workers"])


@pytest.fixture
def observed(project: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Runs a test file with the options."""

    def run(text: str, *options: str) -> pytest.RunResult:
        if "-n2" in options:
            pytest.importorskip("xdist")
        project.makepyfile(test_app=text)
        result = project.runpytest(*options)
        assert not INTERCEPTION.wraps
        return result

    return run


def test_an_encoder_is_listed_once_with_where_and_the_lines_to_add(
    observed: Callable[..., pytest.RunResult],
) -> None:
    result = observed(TWO_TESTS, "--sslauth-observe")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(ADVICE, consecutive=True)
    assert result.ret == pytest.ExitCode.OK


def test_error_fails_the_run(observed: Callable[..., pytest.RunResult]) -> None:
    result = observed(TWO_TESTS, "--sslauth-observe=error")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["ERROR: 1 encoder was never authenticated, and --sslauth-observe=error *"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_it_is_off_by_default(observed: Callable[..., pytest.RunResult]) -> None:
    result = observed(TWO_TESTS)
    result.stdout.no_fnmatch_line("*never authenticated*")
    assert result.ret == pytest.ExitCode.OK


CHECKED = {
    "marker": '@pytest.mark.sslauth("models/tiny")\ndef test_checked():\n    pass\n',
    "call": 'def test_checked(sslauth):\n    sslauth.assert_authentic("models/tiny")\n',
    "verdict": 'def test_checked(sslauth):\n    assert sslauth.authenticate("models/tiny").authentic\n',
    "in memory": (
        "def test_checked(sslauth):\n"
        "    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)\n"
        '    sslauth.assert_authentic(load(), processor=tokenizer, card="cards/tiny")\n'
    ),
}


@pytest.mark.parametrize(("how", "workers"), [*((how, ()) for how in CHECKED), ("call", ("-n2",))])
def test_what_any_test_authenticated_is_not_listed(
    observed: Callable[..., pytest.RunResult], how: str, workers: tuple[str, ...]
) -> None:
    text = f"import pytest\n{LOADS}\ndef test_loads():\n    load()\n\n{CHECKED[how]}"
    result = observed(text, "--sslauth-observe=error", *workers)
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*never authenticated*")
    assert result.ret == pytest.ExitCode.OK


def test_an_altered_encoder_was_not_authenticated(
    observed: Callable[..., pytest.RunResult], alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    look = "assert sslauth.authenticate(FOLDER).status == 'altered'"
    text = f"{LOADS}\ndef test_it(sslauth):\n    load()\n    {look}\n"
    result = observed(text, "--sslauth-observe=error")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["models/tiny  by from_pretrained"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


PLACES = {
    "collection": f"{LOADS}\nload()\ndef test_it():\n    pass\n",
    "session fixture": (
        f"import pytest\n{LOADS}\n@pytest.fixture(scope='session')\ndef model():\n"
        "    yield load()\n    load()\ndef test_it(model):\n    pass\n"
    ),
    "failing test": f"{LOADS}\ndef test_it():\n    load()\n    raise AssertionError\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_loads_outside_of_tests_are_seen(observed: Callable[..., pytest.RunResult], place: str) -> None:
    result = observed(PLACES[place], "--sslauth-observe")
    result.stdout.fnmatch_lines(["models/tiny  by from_pretrained", "  test_app.py:*"])


def test_a_load_in_a_conftest_is_seen(
    project: pytest.Pytester, observed: Callable[..., pytest.RunResult]
) -> None:
    project.makeconftest(f"{LOADS}\nload()\n")
    result = observed("def test_it():\n    pass\n", "--sslauth-observe=error")
    result.stdout.fnmatch_lines(["models/tiny  by from_pretrained", "  conftest.py:6"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_worker_that_crashed_leaves_it_unknown(observed: Callable[..., pytest.RunResult]) -> None:
    text = f"import os\n{LOADS}\ndef test_crash():\n    os._exit(1)\n\ndef test_other():\n    pass\n"
    result = observed(text, "--sslauth-observe=error", "-n2", "--max-worker-restart=0")
    result.stdout.fnmatch_lines(["what gw? loaded is not known: it ended before it could say"])
    assert result.ret != pytest.ExitCode.OK


@WORKERS
def test_the_report_says_all_of_it(
    project: pytest.Pytester, observed: Callable[..., pytest.RunResult], workers: tuple[str, ...]
) -> None:
    result = observed(TWO_TESTS, "--sslauth-observe-report=out/loaded.json", *workers)
    file = project.path / "out" / "loaded.json"
    result.stdout.fnmatch_lines([f"sslauth: report of what was loaded: {file}"])
    said = json.loads(file.read_text())
    (encoder,) = said.pop("encoders")
    assert said == {"format": "sslauth-observed", "schema": 1, "unknown": []}
    known: dict[str, Any] = {
        "api": "from_pretrained",
        "reference": "models/tiny",
        "path": "models/tiny",
        "count": 3,
        "pinned": None,
        **dict.fromkeys(("repo", "commit", "url", "model", "part", "revision")),
    }
    assert {key: encoder[key] for key in known} == known
    assert encoder["test"].startswith("test_app.py::test_")
    assert encoder["where"] == "test_app.py:6"


def test_an_entry_that_there_is_already_is_named(
    project: pytest.Pytester, observed: Callable[..., pytest.RunResult]
) -> None:
    (project.path / "sslauth.toml").write_text('version = 1\n[encoders.own]\npath = "models/tiny"\n')
    result = observed(TWO_TESTS, "--sslauth-observe")
    result.stdout.fnmatch_lines(["  it is 'own' in sslauth.toml, which nothing in this run checked"])
    result.stdout.no_fnmatch_line("*add to sslauth.toml*")


SETTINGS = [
    ("sslauth_observe = error", (), pytest.ExitCode.TESTS_FAILED),
    ("sslauth_observe = report", (), pytest.ExitCode.OK),
    ("sslauth_observe = off", (), pytest.ExitCode.OK),
    ("sslauth_observe = error", ("--sslauth-observe=off",), pytest.ExitCode.OK),
    ("sslauth_observe = error", ("--sslauth-observe",), pytest.ExitCode.OK),
    ("sslauth_observe = report", ("--sslauth-observe=error",), pytest.ExitCode.TESTS_FAILED),
]


@pytest.mark.parametrize(("line", "options", "status"), SETTINGS)
def test_the_file_says_the_same_and_the_command_line_comes_first(
    project: pytest.Pytester, line: str, options: tuple[str, ...], status: pytest.ExitCode
) -> None:
    project.makeini(f"[pytest]\n{line}\naddopts = --ignore=sslauth.toml\n")
    project.makepyfile(test_app=TWO_TESTS)
    assert project.runpytest(*options).ret == status


def test_a_value_that_is_none_is_refused_with_what_to_write(plugged: pytest.Pytester) -> None:
    result = plugged.runpytest("--sslauth-observe", "tests")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sslauth-observe: 'tests' is not report, error or off; *=report tests"])


def test_hostile_names_are_inert(project: pytest.Pytester, observed: Callable[..., pytest.RunResult]) -> None:
    name = "models/\x1b[31m\u202egnp"
    (project.path / "models" / "tiny").rename(project.path / name)
    result = observed(
        TWO_TESTS.replace("models/tiny", name), "--sslauth-observe", "--sslauth-observe-report=r.json"
    )
    text = result.stdout.str()
    assert r"models/\x1b[31m\u202egnp" in text
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert "\u202e" not in (project.path / "r.json").read_text()


@pytest.mark.parametrize("checked", [False, True])
def test_a_server_is_listed_unless_its_endpoint_was_authenticated(
    project: pytest.Pytester, observed: Callable[..., pytest.RunResult], checked: bool
) -> None:
    pytest.importorskip("openai")
    import pytest_sslauth.endpoints  # noqa: F401  # what it imports cannot be imported twice
    from hf_integration.serving import endpoint_check, presets  # noqa: F401
    from tests.endpoints.encoders import serving
    from tests.endpoints.server import MODEL, EmbeddingServer

    with EmbeddingServer("openai", serving(project.path / "models" / "tiny")) as server:
        asked = f'"models/tiny", "{server.url}", card="cards/tiny", model="{MODEL}", keys=16'
        check = f"    sslauth.assert_endpoint({asked})" if checked else "    pass"
        result = observed(
            f"import openai\n\ndef test_asks():\n"
            f'    client = openai.OpenAI(base_url="{server.url}/v1", api_key="secret")\n'
            f'    assert client.embeddings.create(model="{MODEL}", input=["sea"]).data\n\n'
            f"def test_checked(sslauth):\n{check}\n",
            "--sslauth-observe=error",
        )
    result.assert_outcomes(passed=2)
    if checked:
        result.stdout.no_fnmatch_line("*never authenticated*")
    else:
        lines = [f"{MODEL}  at {server.url}/v1, by OpenAI", "  test_app.py:5, in test_app.py::test_asks"]
        entry = ["    [[]encoders.tiny.endpoint[]]", f'    url = "{server.url}/v1"', f'    model = "{MODEL}"']
        result.stdout.fnmatch_lines([*lines, *entry])
    assert result.ret == (pytest.ExitCode.OK if checked else pytest.ExitCode.TESTS_FAILED)
    result.stdout.no_fnmatch_line("*secret*")
