"""Running checks: as ``sslauth verify`` and as tests with the marker, in processes of their own."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.faults.forking import HUNG
from tests.faults.scene import Scene

LONGEST = 60  # seconds of one command, before it counts as hung


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``None`` is the status of one that hung."""

    status: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of standard error, without progress."""
        lines = [line.rpartition("\r")[2].rstrip() for line in self.err.splitlines()]
        known = r"|(card|encoder): .*|(loading|checking) .*|(Fetching|Downloading|Reconstructing|Loading) .*"
        return [line for line in lines if not re.fullmatch(known, line)]


@dataclass(frozen=True)
class Tested:
    """How a test with the marker ended: ``passed``, ``failed``, or ``missing`` if the run never got there."""

    outcome: str
    report: str


@dataclass(frozen=True)
class Check:
    """One encoder to check."""

    repo: str
    revision: str | None = None
    own_card: bool = True

    @property
    def arguments(self) -> list[str]:
        card = ["--card", "card"] if self.own_card else []
        return ["verify", self.repo, *card, *(["--revision", self.revision] if self.revision else [])]

    @property
    def marker(self) -> str:
        named = {"card": "card" if self.own_card else self.repo, "revision": self.revision}
        more = "".join(f", {name}={value!r}" for name, value in named.items() if value)
        return f"@pytest.mark.sslauth({self.repo!r}{more})"


def command(
    scene: Scene, check: Check, *, home: Path, env: Mapping[str, str] | None = None, **options: Any
) -> Ended:
    """One ``sslauth verify`` in a process of its own, from the beginning."""
    program = [sys.executable, "-m", "hf_integration.cli", *check.arguments]
    environment = scene.environment(home, **(env or {}))
    return _ended(program, scene.folder, environment, LONGEST, **options)


def _ended(
    program: Sequence[str], folder: Path, env: Mapping[str, str], longest: float, **options: Any
) -> Ended:
    """A process from its beginning to its end; one that hangs has no status."""
    try:
        done = subprocess.run(
            program,
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env=env,
            timeout=longest,
            **options,
        )
    except subprocess.TimeoutExpired as error:
        return Ended(None, str(error.stdout), str(error.stderr))
    return Ended(done.returncode, done.stdout, done.stderr)


def commands(
    scene: Scene,
    *waves: Mapping[str, Check],
    home: Path,
    work: Path,
    at_once: int,
    env: Mapping[str, str] | None = None,
) -> dict[str, Ended]:
    """Many of them, several at once, a wave after the other; see :mod:`tests.faults.forking`."""
    work.mkdir()
    jobs = [{name: check.arguments for name, check in checks.items()} for checks in waves]
    warm = ["verify", "encoder", "--card", "card"]
    plan = {"folder": str(work), "at_once": at_once, "seconds": LONGEST, "warm": warm, "waves": jobs}
    (work / "plan.json").write_text(json.dumps(plan))
    subprocess.run(
        [sys.executable, "-m", "tests.faults.forking", work / "plan.json"],
        cwd=scene.folder,
        env=scene.environment(home, **(env or {})),
        check=True,
    )
    ended = {}
    for name in (name for wave in jobs for name in wave):
        status = (work / f"{name}.status").read_text()
        texts = ((work / f"{name}{ending}").read_text() for ending in (".out", ".err"))
        ended[name] = Ended(None if status == HUNG else int(status), *texts)
    return ended


def run_pytest(
    scene: Scene,
    checks: Mapping[str, Check],
    *,
    home: Path,
    work: Path,
    env: Mapping[str, str] | None = None,
    longest: int = 300,
    **options: Any,
) -> tuple[dict[str, Tested], str]:
    """One run of pytest over a test with the marker for each check; gives their ends and all output."""
    work.mkdir()
    (work / "card").symlink_to(scene.folder / "card")
    tests = [f"{check.marker}\ndef test_{i}():\n    pass\n" for i, check in enumerate(checks.values())]
    (work / "test_encoders.py").write_text("\n\n".join(["import pytest\n", *tests]))
    (work / "pytest.ini").write_text("[pytest]\njunit_logging = all\n")
    plugin = ["-p", "pytest_sslauth.plugin", "-p", "no:cacheprovider"]
    program = [sys.executable, "-m", "pytest", *plugin, "-rA", "--junitxml=report.xml", "test_encoders.py"]
    # the plugin is named, as it may or may not be installed
    environment = scene.environment(home, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **(env or {}))
    ended = _ended(program, work, environment, longest, **options)
    return {name: _tested(work / "report.xml", i) for i, name in enumerate(checks)}, ended.out + ended.err


def _tested(report: Path, number: int) -> Tested:
    if not report.exists():
        return Tested("missing", "")
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # pytest wrote it just now
        if case.get("name") == f"test_{number}":
            text = "\n".join(child.text or "" for child in case)
            failed = [child.tag for child in case if child.tag in ("failure", "error")]
            return Tested("failed" if failed else "passed", text)
    return Tested("missing", "")
