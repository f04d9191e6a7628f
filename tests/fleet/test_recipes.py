"""The recipes of ``docs/how-to/check-a-fleet.md``, each run in its local form on a small fleet."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from safetensors.torch import load_file, save_file

from tests.tiny_cards import save_with_card

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "check-a-fleet.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(WORKFLOW,) = (block for language, block in BLOCKS if language == "yaml")
(RAY,) = (block for language, block in BLOCKS if language == "python")
SLURM, WAITING = (block for language, block in BLOCKS if language == "bash")
CONSOLE = [line for language, block in BLOCKS if language == "console" for line in block.splitlines()]
(PYTEST,) = (line for line in CONSOLE if line.startswith("pytest "))

every_engine = pytest.mark.skipif(
    os.environ.get("SSLAUTH_FLEET") != "all",
    reason="engines take long: set SSLAUTH_FLEET=all, as the tox environment fleet does",
)
ENCODERS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tiny encoders and their card, pinned."""
    root = tmp_path_factory.mktemp("fleet")
    _, card = save_with_card(root / "a", root / "cards" / "tiny")
    lines = ["version = 1"]
    for name in ENCODERS:
        if name != "a":
            shutil.copytree(root / "a", root / name)
        lines += [f"[encoders.{name}]", f'path = "{name}"', 'card = "cards/tiny"']
        lines += [f'card_digest = "{card.digest}"']
    (root / "sslauth.toml").write_text("\n".join(lines) + "\n")
    (root / "pytest.ini").write_text("[pytest]\n")
    return root


@pytest.fixture
def altered(fleet: Path, tmp_path: Path) -> Path:
    """The same; the second encoder was altered."""
    root = Path(shutil.copytree(fleet, tmp_path / "altered"))
    file = root / "b" / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.1.output.dense.weight"][0, 0] += 0.5
    save_file(tensors, file, metadata={"format": "pt"})
    return root


def environment(**more: str) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    ours = {"PYTHONPATH": os.pathsep.join(paths), "PATH": os.pathsep.join(programs), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **ours, **more}


def run(command: list[str], folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def checked(out: str) -> set[str]:
    """The entries of the tables in an output that are authentic."""
    return set(re.findall(r"^  (\w+) +authentic ", out, re.MULTILINE))


class TestMatrix:
    JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW)["jobs"]

    @pytest.mark.skipif(find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed")
    def test_it_is_a_workflow(self, tmp_path: Path) -> None:
        file = tmp_path / "fleet.yml"
        file.write_text(WORKFLOW)
        command = ["check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    @pytest.mark.skipif(shutil.which("zizmor") is None, reason="zizmor is not installed")
    def test_it_gives_nothing_away(self, tmp_path: Path) -> None:
        folder = tmp_path / ".github" / "workflows"
        folder.mkdir(parents=True)
        (folder / "fleet.yml").write_text(WORKFLOW)
        command = ["zizmor", "--offline", "--no-progress", "--format=json", str(folder / "fleet.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        # as on the page for CI, actions are named by version there: a project pins them as it does elsewhere
        assert {finding["ident"] for finding in json.loads(done.stdout)} <= {"unpinned-uses"}

    def test_the_parts_of_the_matrix_are_all_of_them(self) -> None:
        shards = self.JOBS["check"]["strategy"]["matrix"]["shard"]
        assert self.JOBS["check"]["env"]["SHARD"] == f"${{{{ matrix.shard }}}}/{len(shards)}"
        assert shards == list(range(1, len(shards) + 1))
        assert self.JOBS["check"]["strategy"]["fail-fast"] is False

    @pytest.mark.parametrize("result", ["success", "failure", "cancelled", "skipped", ""])
    def test_the_job_that_is_required_passes_for_success_alone(self, result: str, tmp_path: Path) -> None:
        (step,) = self.JOBS["fleet"]["steps"]
        assert (self.JOBS["fleet"]["needs"], self.JOBS["fleet"]["if"]) == ("check", "always()")
        done = run(["bash", "-e", "-c", step["run"]], tmp_path, RESULT=result)
        assert (done.returncode == 0) == (result == "success")

    @every_engine
    @pytest.mark.parametrize("which", ["fleet", "altered"])
    def test_its_jobs_check_every_entry_once(self, which: str, request: pytest.FixtureRequest) -> None:
        folder = request.getfixturevalue(which)
        shards = self.JOBS["check"]["strategy"]["matrix"]["shard"]
        (command,) = (step["run"] for step in self.JOBS["check"]["steps"] if "verify" in step.get("run", ""))
        found, statuses = [], []
        for shard in shards:
            done = run(["bash", "-e", "-c", command], folder, SHARD=f"{shard}/{len(shards)}")
            statuses.append(done.returncode)
            found.append(checked(done.stdout))
        assert not any(one & other for one, other in itertools.combinations(found, 2))
        assert set().union(*found) == set(ENCODERS) - ({"b"} if which == "altered" else set())
        assert sorted(statuses) == ([0, 0, 1] if which == "altered" else [0, 0, 0])


class TestPytest:
    @every_engine
    @pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
    @pytest.mark.parametrize("which", ["fleet", "altered"])
    def test_workers_check_every_entry(self, which: str, request: pytest.FixtureRequest) -> None:
        folder = request.getfixturevalue(which)
        command = [sys.executable, "-m", *PYTEST.split(), "-p", "no:cacheprovider", "-v"]
        done = run(command, folder)
        assert done.returncode == (1 if which == "altered" else 0), done.stdout
        for name in ENCODERS:
            word = "FAILED" if (which, name) == ("altered", "b") else "PASSED"
            assert re.search(rf"\[gw[01]\].* {word} sslauth.toml::{name}\b", done.stdout), done.stdout


class TestRay:
    @every_engine
    @pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
    @pytest.mark.parametrize("which", ["fleet", "altered"])
    def test_tasks_check_every_entry(
        self, which: str, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        folder = request.getfixturevalue(which)
        script = tmp_path / "check_with_ray.py"
        script.write_text(RAY)
        # its files go into a folder of this test; a path of a socket has to be short
        variables = {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": "local"}
        done = run([sys.executable, str(script)], folder, **variables)
        assert done.returncode == (1 if which == "altered" else 0), done.stdout + done.stderr
        assert checked(done.stdout) == set(ENCODERS) - ({"b"} if which == "altered" else set())

    @every_engine
    @pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
    def test_a_task_that_is_lost_is_no_pass(self, fleet: Path, tmp_path: Path) -> None:
        program = tmp_path / "bin" / "sslauth"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\ncase "$4" in 2/*) kill -9 "$PPID" ;; esac\necho nothing\n')
        program.chmod(0o755)
        script = tmp_path / "check_with_ray.py"
        script.write_text(RAY)
        variables = {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": "local"}
        path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
        done = run([sys.executable, str(script)], fleet, PATH=path, **variables)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "part 2 of 2 ended with 3\nnot checked: " in done.stdout


SBATCH = """#!/bin/bash
# as Slurm does: each task with its number in the environment; the highest status; 0 of one that never began
highest=0
for SLURM_ARRAY_TASK_ID in $TASKS; do
  export SLURM_ARRAY_TASK_ID
  bash "$2" > "sslauth-$SLURM_ARRAY_TASK_ID.log" 2>&1
  status=$?
  [ "$status" -le "$highest" ] || highest=$status
done
exit "$highest"
"""
"""Takes the place of Slurm's command in the local form."""


class TestSlurm:
    def prepared(self, folder: Path) -> str:
        """The scripts in a project; gives the path of programs."""
        (folder / "check-part.sh").write_text(SLURM)
        (folder / "check-fleet.sh").write_text(WAITING)
        program = folder / "bin" / "sbatch"
        program.parent.mkdir(exist_ok=True)
        program.write_text(SBATCH)
        program.chmod(0o755)
        return os.pathsep.join([str(program.parent), environment()["PATH"]])

    def test_the_parts_are_those_of_the_array(self) -> None:
        first, last = map(int, re.findall(r"^#SBATCH --array=(\d+)-(\d+)$", SLURM, re.MULTILINE)[0])
        assert (first, str(last)) == (1, re.findall(r"^shards=(\d+) ", SLURM, re.MULTILINE)[0])
        assert f"for part in {' '.join(str(part) for part in range(1, last + 1))}; do" in WAITING

    @every_engine
    def test_the_tasks_check_every_entry(self, altered: Path) -> None:
        path = self.prepared(altered)
        done = run(["bash", "check-fleet.sh"], altered, PATH=path, TASKS="1 2")
        assert done.returncode == 1, done.stdout + done.stderr
        (results,) = altered.glob("sslauth-results.*")
        found = [json.loads((results / f"{part}.json").read_text()) for part in (1, 2)]
        assert [one["exit_status"] for one in found] == [0, 1]
        assert [[entry["name"] for entry in one["entries"]] for one in found] == [["a", "c"], ["b", "d"]]

    @pytest.mark.parametrize(
        ("tasks", "exits", "status"),
        [("1 2", 0, 0), ("1", 0, 3), ("2", 0, 3), ("", 0, 3), ("1 2", 3, 3), ("1", 1, 1)],
    )
    def test_a_part_that_left_no_result_is_no_pass(
        self, tasks: str, exits: int, status: int, tmp_path: Path
    ) -> None:
        path = self.prepared(tmp_path)
        program = tmp_path / "bin" / "sslauth"
        program.write_text(f'#!/bin/bash\necho "{{}}" > "${{@: -1}}"\nexit {exits}\n')
        program.chmod(0o755)
        done = run(["bash", "check-fleet.sh"], tmp_path, PATH=path, TASKS=tasks)
        assert done.returncode == status, done.stdout + done.stderr
        for part in ("1", "2"):
            assert (f"part {part} was not checked" in done.stdout) == (part not in tasks.split())

    @pytest.mark.parametrize("task", ["", "0", "3", "x"])
    def test_a_task_that_has_no_part_is_no_pass(self, task: str, fleet: Path, tmp_path: Path) -> None:
        script = tmp_path / "check-part.sh"
        script.write_text(SLURM)
        variables = {"SLURM_ARRAY_TASK_ID": task, "RESULTS": str(tmp_path)}
        assert run(["bash", str(script)], fleet, **variables).returncode == 2
