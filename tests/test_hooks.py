"""The hooks that we offer to users of pre-commit, run by pre-commit with a program in place of sslauth."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}

pytestmark = pytest.mark.skipif(find_spec("pre_commit") is None, reason="pre-commit is not installed")

STAND_IN = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
exit "$STATUS"
"""


def pre_commit(folder: Path, *arguments: str, status: int = 0) -> tuple[int, str, list[str]]:
    """Run pre-commit in a project.

    Returns:
        Its exit status, what it said, and the arguments of every call of sslauth.
    """
    programs, calls = folder.parent / "programs", folder.parent / "calls"
    programs.mkdir(exist_ok=True)
    (programs / "sslauth").write_text(STAND_IN)
    (programs / "sslauth").chmod(0o755)
    calls.write_text("")
    env = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder.parent / "home"),
        "CALLS": str(calls),
        "STATUS": str(status),
    }
    command = [sys.executable, "-m", "pre_commit", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "sslauth.toml").write_text("version = 1\n")
    (folder / "README.md").write_text("text\n")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    # the hook as it is written, where cloning this repository is not needed to find it
    hook = {**HOOKS["sslauth-lock-check-installed"]}
    config = {"repos": [{"repo": "local", "hooks": [hook]}]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize("status", [0, 3, 4])
def test_a_commit_of_pins_passes_only_where_they_hold(project: Path, status: int) -> None:
    ended, said, calls = pre_commit(project, "run", "--files", "sslauth.toml", status=status)
    assert calls == ["lock --check"], said
    assert (ended == 0) == (status == 0), said
    assert status == 0 or f"exit code: {status}" in said


def test_a_commit_of_anything_else_asks_nobody(project: Path) -> None:
    ended, _, calls = pre_commit(project, "run", "--files", "README.md", status=4)
    assert (ended, calls) == (0, [])


def test_both_hooks_do_the_same(project: Path) -> None:
    same = ("entry", "files", "pass_filenames", "require_serial")
    assert len({tuple(hook[key] for key in same) for hook in HOOKS.values()}) == 1


def test_pre_commit_understands_both_files(project: Path) -> None:
    for command, file in (("manifest", ".pre-commit-hooks.yaml"), ("config", ".pre-commit-config.yaml")):
        ended, said, _ = pre_commit(project, f"validate-{command}", str(ROOT / file))
        assert ended == 0, said
