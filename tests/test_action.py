"""The composite action: its scripts, run by bash with programs in place of sslauth, pytest and pip."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
if name == "python" and sys.argv[1:] == ["-"]:
    os.execv(sys.executable, [sys.executable, "-"])
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([name, *sys.argv[1:]]) + "\\n")
sys.exit(int(os.environ.get("STATUS", "0")))
"""

HOSTILE = (
    "two words",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "' \"; touch pwned #",
    "a && touch pwned",
    "*",
    "$HOME",
    "\\",
    "--help",
    "-h",
    "é\u202e",
)


@dataclass(frozen=True)
class Ended:
    """How a script ended, and the programs that it called with their arguments."""

    status: int
    calls: list[list[str]]
    out: str
    outputs: str


@dataclass(frozen=True)
class Runner:
    """What GitHub does with a step of the action."""

    folder: Path

    def run(
        self,
        name: str,
        inputs: Mapping[str, str] | None = None,
        *,
        status: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        step, folder = STEPS[name], self.folder
        defaults = {key: value.get("default", "") for key, value in ACTION["inputs"].items()}
        given = defaults | dict(inputs or {})
        unknown = given.keys() - defaults.keys()
        assert not unknown, unknown
        own = {key: filled(value, given) for key, value in step.get("env", {}).items()}
        programs = folder.parent / "programs"
        programs.mkdir(exist_ok=True)
        for program in ("sslauth", "python"):
            (programs / program).write_text(STAND_IN)
            (programs / program).chmod(0o755)
        calls, output, script = (folder.parent / part for part in ("calls", "output", "script.sh"))
        calls.write_text("")
        output.write_text("")
        script.write_text(step["run"])
        assert step["shell"] == "bash"
        done = subprocess.run(
            [str(BASH), "--noprofile", "--norc", "-eo", "pipefail", str(script)],  # as the runner calls it
            cwd=folder,
            env={
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(folder.parent),
                "CALLS": str(calls),
                "STATUS": str(status),
                "GITHUB_OUTPUT": str(output),
                **own,
                **dict(env or {}),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert sorted(path.name for path in folder.rglob("pwned")) == []
        called = [json.loads(line) for line in calls.read_text().splitlines()]
        return Ended(done.returncode, called, done.stdout + done.stderr, output.read_text("utf-8"))

    def authenticate(self, inputs: Mapping[str, str], *, status: int = 0) -> Ended:
        return self.run("authenticate", inputs, status=status)

    def kept(self, inputs: Mapping[str, str] | None = None, **env: str) -> tuple[str, list[str]]:
        """The cache key and the folders that are kept."""
        ended = self.run("what may be kept from the last run", inputs, env=env)
        assert ended.status == 0, ended.out
        key, opening, *paths, end = ended.outputs.splitlines()
        assert opening == f"paths<<{end}"
        return key.removeprefix("key="), paths


def filled(template: str, inputs: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: inputs[match[1]], template)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    folder = tmp_path / "project"
    folder.mkdir()
    return Runner(folder)


def test_no_script_has_an_expression_in_it() -> None:
    assert [name for name, step in STEPS.items() if "${{" in step.get("run", "")] == []


def test_every_foreign_action_is_pinned_to_a_commit() -> None:
    used = [step["uses"] for step in STEPS.values() if "uses" in step]
    assert len(used) == 2
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)


class TestVerify:
    def test_it_checks_the_encoder_with_the_card(self, runner: Runner) -> None:
        ended = runner.authenticate({"encoder": "org/name", "card": "cards/name"})
        assert ended.calls == [["sslauth", "verify", "--card=cards/name", "--", "org/name"]]

    def test_without_a_card_the_pin_decides(self, runner: Runner) -> None:
        assert runner.authenticate({"encoder": "search"}).calls == [["sslauth", "verify", "--", "search"]]

    def test_a_line_is_an_argument(self, runner: Runner) -> None:
        ended = runner.authenticate({"encoder": "search", "args": "--format\njson\n\n--signer\nmy key.pub\n"})
        (call,) = ended.calls
        assert call[2:-2] == ["--format", "json", "--signer", "my key.pub"]

    @pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 70, 130])
    def test_the_exit_status_is_that_of_the_command(self, runner: Runner, status: int) -> None:
        assert runner.authenticate({"encoder": "search"}, status=status).status == status

    @pytest.mark.parametrize("value", HOSTILE)
    def test_hostile_values_are_arguments_and_nothing_else(self, runner: Runner, value: str) -> None:
        ended = runner.authenticate({"encoder": value, "card": value})
        assert ended.calls == [["sslauth", "verify", f"--card={value}", "--", value]]

    @pytest.mark.parametrize("value", [value for value in HOSTILE if not value.startswith("-")])
    def test_hostile_arguments_are_arguments_and_nothing_else(self, runner: Runner, value: str) -> None:
        assert runner.authenticate({"encoder": "e", "args": value}).calls[0][2:-2] == [value]

    def test_an_encoder_called_help_is_an_encoder_to_the_real_command(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "hf_integration.cli", "verify", "--card=cards/none", "--", "--help"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False)
        assert done.returncode not in (0, 1)

    @pytest.mark.parametrize(
        "inputs",
        [
            {"encoder": ""},
            {"encoder": "", "card": "cards/name"},
            {"run": "verfiy", "encoder": "search"},
            {"run": "", "encoder": "search"},
            *({"encoder": "search", "args": line} for line in ("-h", "--help", "--version")),
        ],
    )
    def test_what_would_check_nothing_is_wrong_usage(self, runner: Runner, inputs: dict[str, str]) -> None:
        ended = runner.authenticate(inputs)
        assert (ended.status, ended.calls) == (2, [])
        assert ended.out.startswith("::error::")


class TestPytest:
    def test_it_insists_on_the_plugin_and_on_known_markers(self, runner: Runner) -> None:
        ended = runner.authenticate({"run": "pytest", "args": "tests\n-k\nnot slow"})
        options = ["-p", "sslauth", "--strict-markers"]
        assert ended.calls == [["python", "-m", "pytest", *options, "tests", "-k", "not slow"]]

    @pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 5])
    def test_the_exit_status_is_that_of_pytest(self, runner: Runner, status: int) -> None:
        assert runner.authenticate({"run": "pytest"}, status=status).status == status

    @pytest.mark.parametrize("line", ["-p\nno:sslauth", "-pno:sslauth", "--collect-only", "--help"])
    def test_what_would_check_nothing_is_wrong_usage(self, runner: Runner, line: str) -> None:
        ended = runner.authenticate({"run": "pytest", "args": line})
        assert (ended.status, ended.calls) == (2, [])

    @pytest.mark.parametrize("name", ["encoder", "card"])
    def test_what_only_verify_heeds_is_not_passed_over(self, runner: Runner, name: str) -> None:
        ended = runner.authenticate({"run": "pytest", name: "search"})
        assert (ended.status, ended.calls) == (2, [])


class TestInstalling:
    def test_by_default_what_is_there_is_kept(self, runner: Runner) -> None:
        ended = runner.run("install pytest-sslauth")
        assert ended.calls[0][-1] == "pytest-sslauth"

    def test_a_version_is_that_version(self, runner: Runner) -> None:
        ended = runner.run("install pytest-sslauth", {"version": "0.1.0"})
        assert ended.calls[0][-1] == "pytest-sslauth==0.1.0"

    def test_what_cannot_be_installed_ends_the_job(self, runner: Runner) -> None:
        assert runner.run("install pytest-sslauth", status=1).status == 1


class TestCache:
    PINS = 'version = 1\n\n[encoders.search]\nrepo = "org/name"\ncommit = "{}"\n'

    def test_a_changed_pin_misses(self, runner: Runner) -> None:
        pins = runner.folder / "sslauth.toml"
        keys = {runner.kept()[0]}
        for commit in ("a" * 40, "b" * 40):
            pins.write_text(self.PINS.format(commit))
            keys.add(runner.kept()[0])
        assert len(keys) == 3
        assert runner.kept()[0] in keys
        assert all(re.fullmatch(f"[0-9a-f]{{{hashlib.sha256().digest_size * 2}}}", key) for key in keys)

    def test_another_encoder_card_or_folder_misses(self, runner: Runner) -> None:
        inputs: tuple[dict[str, str], ...] = (
            {},
            {"encoder": "a"},
            {"card": "a"},
            {"cache-folders": "a"},
            {"encoder": "a", "card": "a"},
        )
        assert len({runner.kept(one)[0] for one in inputs}) == len(inputs)

    def test_nothing_is_taken_over_from_other_pins(self) -> None:
        assert set(STEPS["keep it"]["with"]) == {"path", "key"}

    def test_the_hubs_cache_is_where_its_client_looks(self, runner: Runner, tmp_path: Path) -> None:
        assert runner.kept()[1] == [str(tmp_path / ".cache" / "huggingface" / "hub")]
        assert runner.kept(HF_HOME="/home")[1] == ["/home/hub"]
        assert runner.kept(HF_HOME="/home", HF_HUB_CACHE="/cache")[1] == ["/cache"]

    def test_folders_are_kept_by_name(self, runner: Runner) -> None:
        _, paths = runner.kept({"cache-folders": "cards\n\nmy models\n"})
        assert paths[1:] == [str(runner.folder / "cards"), str(runner.folder / "my models")]

    @pytest.mark.parametrize("value", HOSTILE)
    def test_hostile_folders_are_folders_and_nothing_else(self, runner: Runner, value: str) -> None:
        git(runner.folder, "init", "--quiet")
        _, paths = runner.kept({"cache-folders": value})
        assert paths[1:] == [str(runner.folder / value)]

    @pytest.mark.parametrize("folder", ["cards", "cards/", "./cards", ".", "cards/search"])
    def test_a_folder_under_version_control_is_refused(self, runner: Runner, folder: str) -> None:
        """What reviewers saw must not be replaced by what a cache holds."""
        card = runner.folder / "cards" / "search"
        card.mkdir(parents=True)
        (card / "card.json").write_text("{}")
        git(runner.folder, "init", "--quiet")
        git(runner.folder, "add", ".")
        ended = runner.run("what may be kept from the last run", {"cache-folders": f"elsewhere\n{folder}"})
        assert ended.status == 2
        assert ended.outputs == ""


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
