"""The downstream project: somebody's test suite, with one test that names the encoder."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import hf_integration

TEST = """import pytest


@pytest.mark.sslauth("encoder", card="cards/encoder")
def test_the_encoder_is_the_one_we_reviewed(authentic_encoder):
    assert authentic_encoder.verdict.status == "authentic"
"""

CONFIGURATION = "[pytest]\n"
"""Makes the project its own root, whatever lies in the folders above it."""


@dataclass(frozen=True)
class TestRun:
    """How the project's test suite ended.

    Attributes:
        status: pytest's exit status: 0 passed, 1 failed.
        output: what it printed.
    """

    __test__ = False  # not a test class, whatever pytest makes of its name

    status: int
    output: str

    @property
    def passed(self) -> bool:
        """Whether the test ran, and passed."""
        return self.status == 0 and "1 passed" in self.output

    @property
    def caught(self) -> bool:
        """Whether the test failed because the encoder was found altered, and for no other reason."""
        return self.status == 1 and "ALTERED" in self.output


def write_project(folder: Path) -> None:
    """Write the project's two files."""
    (folder / "pytest.ini").write_text(CONFIGURATION)
    (folder / "test_encoder.py").write_text(TEST)


def run_tests(folder: Path) -> TestRun:
    """Run the project's tests in a process of their own, as its developers would."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *_plugin(), "--color=no"],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return TestRun(done.returncode, done.stdout)


def _plugin() -> list[str]:
    """Nothing where the package is installed; in a source tree the plugin must be named."""
    installed = any(entry.name == "sslauth" for entry in entry_points(group="pytest11"))
    return [] if installed else ["-p", "pytest_sslauth.plugin"]


def _environment() -> dict[str, str]:
    """This environment without what steers a pytest that may be running around us."""
    source = Path(hf_integration.__file__).parent.parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    paths = [str(source), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
