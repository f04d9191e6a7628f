"""``sslauth.assert_same_embeddings``: a snapshot that only a command of its own accepts."""

import shlex
import subprocess
import sys

import pytest

import pytest_sslauth.sslauth  # noqa: F401  # torch cannot be imported twice, and runs in this process forget it
from hf_integration.stamps.stamp import Stamp

pytest_plugins = ["pytester"]

PIPELINE = """
import hashlib
import numpy as np

WIDTH = 48

def embed(texts):
    \"\"\"A whole pipeline: whatever it is, it gives one embedding for each text.\"\"\"
    rows = []
    for text in texts:
        words = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") for word in text.split()]
        rows.append(np.mean([np.random.default_rng(word).normal(size=WIDTH) for word in words], axis=0))
    return np.array(rows)
"""

TEST = """
import numpy as np
from pipeline import embed

def test_search(sslauth):
    found = sslauth.assert_same_embeddings(lambda texts: {expression}, "search")
    assert found.status == "same"
"""


@pytest.fixture
def project(plugged: pytest.Pytester) -> pytest.Pytester:
    plugged.makepyfile(pipeline=PIPELINE)
    write(plugged, "embed(texts)")
    return plugged


def write(project: pytest.Pytester, expression: str) -> None:
    project.makepyfile(test_app=TEST.format(expression=expression))


def command_in(result: pytest.RunResult) -> list[str]:
    (line,) = [line for line in result.outlines if line.startswith("to accept what is embedded now")]
    return shlex.split(line.rpartition(": ")[2])


def run(project: pytest.Pytester, command: list[str]) -> "subprocess.CompletedProcess[str]":
    assert command[0] == "sslauth"
    program = [sys.executable, "-m", "hf_integration.cli", *command[1:]]
    return subprocess.run(program, cwd=project.path, capture_output=True, text=True, check=False)


def test_only_the_command_that_the_failure_names_accepts_one(project: pytest.Pytester) -> None:
    snapshot, pending = (
        project.path / "sslauth_stamps" / name for name in ("search.json", "search.new.json")
    )
    for _ in range(2):  # whatever is run how often
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["NOT CHECKED: search: there is no snapshot sslauth_stamps/search.json"])
        assert not snapshot.exists()
    command = command_in(result)
    assert command == shlex.split(
        "sslauth stamp --accept sslauth_stamps/search.new.json --out sslauth_stamps/search.json"
    )
    done = run(project, command)
    assert done.returncode == 0, done.stderr
    assert snapshot.exists()
    assert not pending.exists()
    result = project.runpytest("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*= sslauth =*", "same space    search"])

    write(project, "embed(texts)[:, ::-1]")
    before = snapshot.read_bytes()
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ANOTHER SPACE: the stamp is of search", "another space  search*"])
    assert snapshot.read_bytes() == before
    assert Stamp.load(pending).texts == Stamp.load(snapshot).texts  # so that the two can be compared
    command = command_in(result)
    assert command[-1] == "--force"
    refused = run(project, command[:-1])
    assert refused.returncode == 2
    assert snapshot.read_bytes() == before
    done = run(project, command)
    assert done.returncode == 0, done.stderr
    assert "before: ANOTHER SPACE: the stamp is of search" in done.stderr
    project.runpytest().assert_outcomes(passed=1)


@pytest.fixture
def accepted(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose snapshot was accepted, as the command does it."""
    project.runpytest().assert_outcomes(failed=1)
    folder = project.path / "sslauth_stamps"
    (folder / "search.new.json").rename(folder / "search.json")
    project.runpytest().assert_outcomes(passed=1)
    return project


@pytest.mark.parametrize(
    "expression",
    [
        "embed(texts) * (1 + 1e-6)",
        "embed(texts).astype(np.float32)",
        "embed(texts).tolist()",
        "np.concatenate([embed([text]) for text in texts])",
        "embed(texts) + 1e-7 * np.sign(embed(texts))",
    ],
)
def test_what_machines_differ_by_passes(accepted: pytest.Pytester, expression: str) -> None:
    write(accepted, expression)
    accepted.runpytest().assert_outcomes(passed=1)
    assert not (accepted.path / "sslauth_stamps/search.new.json").exists()


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("embed(texts) * 2", "ANOTHER RECIPE*"),
        ("embed(texts)[:, :24]", "ANOTHER RECIPE*"),
        ("embed(['query: ' + text for text in texts])", "* SPACE*: the stamp is of search"),
        ("embed(texts) + 1e-3 * np.sign(embed(texts))", "NOT THE SAME SPACE*"),
        ("embed(texts[:1])", "NOT CHECKED: search: *texts were given*"),
        ("embed(texts) * float('nan')", "NOT CHECKED: search: *"),
        ("1 / 0", "NOT CHECKED: search: *ZeroDivisionError*"),
    ],
)
def test_all_else_fails(accepted: pytest.Pytester, expression: str, said: str) -> None:
    write(accepted, expression)
    before = (accepted.path / "sslauth_stamps/search.json").read_bytes()
    result = accepted.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])
    broken = "NOT CHECKED" in said
    assert any(line.startswith("there is nothing to accept") for line in result.outlines) == broken
    assert (accepted.path / "sslauth_stamps/search.json").read_bytes() == before


def test_a_damaged_snapshot_is_no_pass(accepted: pytest.Pytester) -> None:
    file = accepted.path / "sslauth_stamps/search.json"
    file.write_text(file.read_text().replace('"long"', '"lung"', 1))
    result = accepted.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT CHECKED: search: *damaged*", "to accept what is embedded now*--force"])


@pytest.mark.parametrize("name", ["", "../search", "a/b", ".hidden", "a\\b", "x" * 101, "\x1b[31m", 3, None])
def test_a_name_is_that_of_a_file(project: pytest.Pytester, name: object) -> None:
    project.makepyfile(
        test_app=f"def test_app(sslauth):\n    sslauth.assert_same_embeddings(list, {name!r})\n"
    )
    result = project.runpytest("--color=no")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["sslauth: a snapshot cannot be called *; nothing was checked"])
    assert not (project.path / "sslauth_stamps").exists()


def test_a_folder_that_takes_nothing_is_named(project: pytest.Pytester) -> None:
    (project.path / "sslauth_stamps").touch()
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["what is embedded now was not left to be accepted: *"])


def test_a_link_in_the_folder_leads_nowhere(project: pytest.Pytester) -> None:
    (project.path / "sslauth_stamps").mkdir()
    (project.path / "sslauth_stamps/search.new.json").symlink_to(project.path / "precious")
    (project.path / "precious").write_text("mine")
    project.runpytest().assert_outcomes(failed=1)
    assert (project.path / "precious").read_text() == "mine"


def test_the_folder_is_an_option(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nsslauth_stamps = trust/snapshots\n")
    assert command_in(project.runpytest())[-1] == "trust/snapshots/search.json"
    assert (project.path / "trust/snapshots/search.new.json").is_file()


def test_what_the_command_is_given_besides_is_refused(project: pytest.Pytester) -> None:
    done = run(project, ["sslauth", "stamp", "org/name", "--accept", "absent", "--out", "stamp.json"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "--accept takes the stamp in its file" in done.stderr
    done = run(project, ["sslauth", "stamp", "--accept", "absent", "--out", "stamp.json"])
    assert done.returncode == 2
    assert "absent" in done.stderr
