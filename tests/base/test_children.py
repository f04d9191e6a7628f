"""Processes end with what started them."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hf_integration.base.children import Children, same_imports

ROOT = Path(__file__).parents[2]

SLEEPING = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_a_process_runs_to_its_end_and_says_what_went_wrong() -> None:
    with Children() as children:
        code = "import sys; print('out'); print('bad', file=sys.stderr); sys.exit(7)"
        assert children.run([sys.executable, "-c", code], env=os.environ) == (7, b"out\n", "bad\n")


def test_an_interruption_ends_what_runs_and_lets_nothing_start() -> None:
    children, ended = Children(), []
    thread = threading.Thread(target=lambda: ended.append(children.run(SLEEPING, env=os.environ)[0]))

    def interrupted() -> None:
        with children:
            thread.start()
            while not children._running:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    thread.join(60)
    assert not thread.is_alive()
    assert ended
    assert ended[0] != 0
    assert children.run(SLEEPING, env=os.environ) == (-1, b"", "interrupted")


def started() -> list[tuple[str, str]]:
    """File and module of every process of ours that is started by a module's name."""
    found = []
    for file in sorted((ROOT / "hf_integration").rglob("*.py")):
        text = file.read_text("utf-8")
        for name in re.findall(r'sys\.executable, "-m", ([\w".]+)', text):
            module = name.strip('"') if name.startswith('"') else re.findall(rf'{name} = "([\w.]+)"', text)[0]
            found.append((file.relative_to(ROOT).as_posix(), module))
    return found


def test_every_process_of_ours_is_known() -> None:
    modules = {module for _, module in started()}
    assert modules > {"hf_integration.minting.worker"}
    assert {module for module in modules if not module.startswith("hf_integration.")} == {"pytest"}


@pytest.mark.parametrize(("file", "module"), [each for each in started() if each[1] != "pytest"])
def test_none_imports_what_is_in_the_folder_it_is_started_in(file: str, module: str, tmp_path: Path) -> None:
    assert "same_imports()" in (ROOT / file).read_text("utf-8")
    shadow = tmp_path / (module.replace(".", "/") + ".py")
    shadow.parent.mkdir(parents=True)
    shadow.write_text("print('shadowed')")
    (tmp_path / "tqdm.py").write_text("print('shadowed')")
    environment = {**os.environ, **same_imports()}
    ended = subprocess.run(
        [sys.executable, "-m", module],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert b"shadowed" not in ended.stdout + ended.stderr
    assert ended.returncode != 0 or not ended.stdout  # nothing was asked of it
