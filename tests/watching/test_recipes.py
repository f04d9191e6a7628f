"""The recipes of ``docs/how-to/watch-an-encoder.md``: each is read by what will read it."""

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

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "watch-an-encoder.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

WORKFLOW, RULES = (block for language, block in BLOCKS if language == "yaml")
UNITS = dict(re.findall(r"# /etc/systemd/system/(\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
(CRON,) = (block for language, block in BLOCKS if language == "text")

STAND_IN = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(os.environ["STATUS"]) if sys.argv[1] == "watch" else 0)
"""


@pytest.mark.skipif(find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed")
def test_the_workflow_is_one(tmp_path: Path) -> None:
    file = tmp_path / "watch.yml"
    file.write_text(WORKFLOW)
    command = ["check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("zizmor") is None, reason="zizmor is not installed")
def test_the_workflow_gives_nothing_away(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "watch.yml").write_text(WORKFLOW)
    command = ["zizmor", "--offline", "--no-progress", "--format=json", str(folder / "watch.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    # as on the page for CI, actions are named by version there: a project pins them as it does elsewhere
    assert {finding["ident"] for finding in json.loads(done.stdout)} <= {"unpinned-uses"}


def test_no_secret_and_no_variable_is_put_into_a_script() -> None:
    steps: list[dict[str, Any]] = yaml.safe_load(WORKFLOW)["jobs"]["watch"]["steps"]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_are_some(tmp_path: Path) -> None:
    assert sorted(UNITS) == ["sslauth-watch.service", "sslauth-watch.timer"]
    for name, unit in UNITS.items():
        # the programs and folders of the example are not here
        here = unit.replace("/srv/search/.venv/bin/sslauth", "/bin/true").replace("/srv/search", "/tmp")  # noqa: S108
        (tmp_path / name).write_text(here)
    files = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "sslauth-watch" in line] == []


@pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 70, 130])
def test_the_line_of_cron_shows_the_history_of_whatever_is_no_pass(tmp_path: Path, status: int) -> None:
    (tmp_path / "sslauth").write_text(STAND_IN)
    (tmp_path / "sslauth").chmod(0o755)
    minute, command = CRON.strip().split(" * * * * ")
    assert minute.isdigit()
    assert "%" not in command  # cron would take it for a line break
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "STATUS": str(status),
    }
    there = command.replace("/srv/search", str(tmp_path))
    done = subprocess.run(["/bin/sh", "-c", there], env=env, capture_output=True, check=False)
    assert done.returncode == 0
    calls = [json.loads(line)[0] for line in (tmp_path / "calls").read_text().splitlines()]
    assert calls == ["watch", "history"][: 1 + (status != 0)]


def test_rules_and_the_table_name_metrics_that_there_are() -> None:
    from datetime import UTC, datetime

    from hf_integration.watching.entry import Subject, of_verdict
    from hf_integration.watching.prometheus import metrics
    from hf_integration.watching.standing import standings
    from tests.report.verdicts import AUTHENTIC

    now = datetime.now(UTC)
    text = metrics(standings([of_verdict(AUTHENTIC, Subject("a"), began=now, seconds=1)], now=now))
    known = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    rules = [rule["expr"] for group in yaml.safe_load(RULES)["groups"] for rule in group["rules"]]
    assert set(re.findall(r"sslauth_\w+", " ".join(rules))) <= known
    assert set(re.findall(r"^\| `(sslauth_\w+)`", PAGE, re.MULTILINE)) == known


def test_the_query_asks_for_columns_that_there_are(tmp_path: Path) -> None:
    import sqlite3

    from hf_integration.watching.history import History
    from tests.watching.histories import deployment, entry

    History(tmp_path / "checks.db").record(entry("altered", deployment=deployment("tei: tanh GELU")))
    (query,) = (block for language, block in BLOCKS if language == "sql")
    with sqlite3.connect(tmp_path / "checks.db") as connection:
        assert connection.execute(query).fetchall() == [("2026-11-03T09:00:00Z", "altered", "tei: tanh GELU")]
