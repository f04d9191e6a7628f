"""What only a real process shows: streams that fail, signals, imports."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import environment, finish, start

pytestmark = pytest.mark.usefixtures("here")

WITHOUT_ENGINE = """
import sys
from hf_integration.cli import main
assert main(sys.argv[1:]) == 0
print([name for name in ("torch", "transformers", "numpy", "rich", "huggingface_hub") if name in sys.modules])
"""

WITHOUT_THE_HUB = """
import sys
from hf_integration.cli import main
assert main(["verify", "tiny", "--card", "cards/tiny"]) == 0
print([name for name in sys.modules if name.startswith("hf_integration.hub")])
"""

# the streams are what is tested here, so the engine behind them is replaced by a verdict
WITH_VERDICT = """
import sys
from hf_integration.checking import subject as loading
from hf_integration.cli import main
from tests.report.verdicts import {verdict} as verdict
from types import SimpleNamespace
thing = SimpleNamespace(location="card", path=None, expires=None)
loading.load_subject = lambda *_, **__: loading.Subject(thing, thing)
loading.Subject.authenticate = lambda *_, **__: SimpleNamespace(verdict=verdict)
sys.exit(main(["verify", "tiny", "--card", "cards/tiny", *sys.argv[1:]]))
"""

TALKATIVE = """
import logging, sys
from hf_integration.cli import main
assert main(sys.argv[1:]) == 0
from huggingface_hub import file_download
logging.getLogger("huggingface_hub.file_download").warning("Retrying in 1s")
file_download._check_disk_space(10**15, "/")
"""

STATUS = {"AUTHENTIC": 2, "ALTERED": 1, "WAIVED": 2, "INCONCLUSIVE": 3}
"""A verdict whose report could not be written: a pass is none any more, a finding stays one."""


class TestImports:
    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["verify", "--help"]])
    def test_help_and_version_do_not_import_the_engine(self, arguments: list[str]) -> None:
        ended = finish(start(*arguments, code=WITHOUT_ENGINE))
        assert ended.status == 0, ended.err
        assert ended.out.splitlines()[-1] == "[]"

    def test_a_local_check_does_not_import_what_asks_the_hub_about_cards(self) -> None:
        ended = finish(start(code=WITHOUT_THE_HUB))
        assert ended.status == 0, ended.err
        assert ended.out.splitlines()[-1] == "[]"

    def test_the_hubs_client_stays_silent_though_its_import_sets_its_level(self) -> None:
        ended = finish(start("--version", code=TALKATIVE))
        assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize("verdict", STATUS)
class TestFailingOutput:
    def test_a_full_disk(self, verdict: str) -> None:
        with Path("/dev/full").open("w") as full:
            ended = finish(start(code=WITH_VERDICT.format(verdict=verdict), stdout=full))
        assert ended.status == STATUS[verdict]
        assert ended.err == "sslauth: error: cannot write standard output: No space left on device\n"

    def test_a_closed_pipe(self, verdict: str) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        ended = finish(start(code=WITH_VERDICT.format(verdict=verdict), stdout=writing))
        os.close(writing)
        assert ended.status == STATUS[verdict]
        assert ended.err == "sslauth: error: standard output was closed before the result was written\n"

    def test_a_file_on_a_full_disk(self, verdict: str) -> None:
        ended = finish(start("--output", "/dev/full", code=WITH_VERDICT.format(verdict=verdict)))
        assert ended.status == STATUS[verdict]
        assert "No space left" in ended.err


class TestStreams:
    def test_a_standard_error_that_fails_changes_nothing(self) -> None:
        with Path("/dev/full").open("w") as full:
            ended = finish(start(code=WITH_VERDICT.format(verdict="ALTERED"), stderr=full))
        assert ended.status == 1
        assert ended.out.startswith("ALTERED")

    def test_a_standard_output_that_was_closed_from_the_start(self) -> None:
        # closing must come before the interpreter opens its streams, which only a shell can do
        code = WITH_VERDICT.format(verdict="AUTHENTIC")
        command = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "standard output is closed" in done.stderr

    def test_a_terminal_without_the_letters_gets_escapes(self) -> None:
        greek = "from dataclasses import replace\nverdict = replace(verdict, encoder='Ωmega')\n"
        code = WITH_VERDICT.format(verdict="ALTERED").replace("thing =", f"{greek}thing =", 1)
        ended = finish(start(code=code, env=environment(PYTHONIOENCODING="ascii")))
        assert ended.status == 1
        assert ended.out.startswith("ALTERED: \\u03a9mega")

    def test_no_bars_and_no_colours_without_a_terminal(self) -> None:
        ended = finish(start("verify", "altered", "--card", "cards/tiny"))
        assert ended.status == 1
        assert "\x1b" not in ended.out + ended.err

    def test_help_into_a_closed_pipe_is_not_an_altered_encoder(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        ended = finish(start("--help", stdout=writing))
        os.close(writing)
        assert ended.status == 2

    def test_help_onto_a_full_disk_is_not_an_altered_encoder(self) -> None:
        with Path("/dev/full").open("w") as full:
            assert finish(start("--help", stdout=full)).status == 2


class TestInterruption:
    def test_ctrl_c_while_minting_ends_with_130_and_leaves_nothing(self, tmp_path: Path) -> None:
        out = tmp_path / "cards" / "new"
        # a suite that runs in the background of a shell has inherited that interrupts are ignored
        heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = start("mint", "tiny", "--out", out, "--keys", "16", preexec_fn=heeded)
        assert process.stderr is not None
        for line in process.stderr:  # the encoder is loaded: minting begins
            if line.startswith("encoder:"):
                break
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
        assert ended.status == 130, ended.err
        assert "interrupted" in ended.err
        assert "Traceback" not in ended.err
        assert list(tmp_path.iterdir()) == []


def test_an_installation_that_is_broken_does_not_end_with_1(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('half installed')\n")
    paths = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    ended = finish(start("verify", "tiny", env=environment(PYTHONPATH=paths)))
    assert (ended.status, ended.out) == (70, "")
    assert "internal error: ImportError: half installed" in ended.err
