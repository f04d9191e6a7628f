"""Which files of ours run: ``python -m tests.tracing verify [ARGUMENT...]`` or ``... pytest [ARGUMENT...]``.

Runs ``sslauth verify`` or ``pytest`` with the arguments in this process, and prints how many files of the two
packages run at least one function: what a person must read to follow that walk. Without arguments a tiny
encoder and its card are made for it, and for pytest a project with one marked test. Running the body of a
module or a class is no walk, and does not count.
"""

import inspect
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[1]
PACKAGES = tuple(str(ROOT / top) + os.sep for top in ("hf_integration", "pytest_sslauth"))

MAKE = "import sys, pathlib as p, tests.tiny_cards as t; t.save_with_card(*map(p.Path, sys.argv[1:]))"
MARKED = """import pytest

@pytest.mark.sslauth("models/tiny", card="cards/tiny")
def test_marked(authentic_encoder):
    assert authentic_encoder.verdict.authentic
"""


def is_function(code: CodeType) -> bool:
    """Whether code is the body of a function or a lambda, and not of a module, a class or a comprehension."""
    named = not code.co_name.startswith("<") or code.co_name == "<lambda>"
    return named and bool(code.co_flags & inspect.CO_OPTIMIZED)


class Walk:
    """Notes the files of every function that is called in its context, in all threads."""

    def __init__(self) -> None:
        self._seen: set[CodeType] = set()

    def __enter__(self) -> "Walk":
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self._seen.add(frame.f_code)

    @property
    def files(self) -> tuple[str, ...]:
        """Those of the two packages, by their paths in the repository."""
        found = {code.co_filename for code in self._seen if is_function(code)}
        return tuple(sorted(str(Path(file).relative_to(ROOT)) for file in found if file.startswith(PACKAGES)))


def follow(program: str, arguments: Sequence[str]) -> tuple[int, Walk]:
    """Run a program in this process.

    Args:
        program: ``verify`` or ``pytest``.
        arguments: its own.

    Returns:
        Its exit status, and the walk that it took.
    """
    with Walk() as walk:
        if program == "verify":
            from hf_integration.cli import main

            return main(["verify", *arguments]), walk
        import pytest

        installed = any(point.value == "pytest_sslauth.plugin" for point in entry_points(group="pytest11"))
        plugin = () if installed else ("-p", "pytest_sslauth.plugin")
        return int(pytest.main([*plugin, *arguments])), walk


def make_project(folder: Path) -> None:
    """A project with ``models/tiny``, ``cards/tiny`` and a marked test."""
    # in a process of its own, so that nothing of it is imported or remembered here
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", MAKE, "models/tiny", "cards/tiny"], cwd=folder, env=env, check=True)
    (folder / "test_marked.py").write_text(MARKED)
    (folder / "pytest.ini").write_text("[pytest]\n")


def main(arguments: Sequence[str]) -> int:
    """Follow what the arguments say and print the files."""
    if not arguments or arguments[0] not in ("verify", "pytest"):
        print(__doc__, file=sys.stderr)
        return 2
    program, *rest = arguments
    with tempfile.TemporaryDirectory() as folder:
        if not rest:
            make_project(Path(folder))
            os.chdir(folder)
            sys.path.insert(0, str(ROOT))
            rest = ["models/tiny", "--card", "cards/tiny"] if program == "verify" else ["-q"]
        status, walk = follow(program, rest)
        os.chdir(ROOT)
    print("\n".join(walk.files))
    print(f"{program} ended with {status}; files that ran a function: {len(walk.files)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
