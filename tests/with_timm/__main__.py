"""Run the tests of encoders of timm: ``python -m tests.with_timm FOLDER [pytest's arguments]``.

The folder holds timm and torchvision, as ``pip install --no-deps --target`` puts them there. They are in no
other process of the suite: transformers imports torchvision wherever it is, and a build that does not fit the
installed torch would keep it from importing any model.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    if not arguments:
        sys.exit("usage: python -m tests.with_timm FOLDER [pytest's arguments]")
    folder, *rest = arguments
    places = [folder, str(HERE / "site"), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HERE), *rest]
    return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
