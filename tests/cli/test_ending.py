"""SIGTERM and SIGHUP, however many of them come."""

import os
import signal
from pathlib import Path

import pytest

from hf_integration.cli.entry import ended_cleanly
from tests.cli.conftest import finish, start

SIGNALS = [signal.SIGTERM, signal.SIGHUP]

# a command that takes its time over tidying up
SLOW = """
import sys, time
from pathlib import Path
from hf_integration.cli import entry
def work():
    try:
        print("ready", file=sys.stderr, flush=True)
        time.sleep(60)
    finally:
        Path(sys.argv[1]).write_text("tidying")
        time.sleep(1)
        Path(sys.argv[1]).write_text("tidied up")
entry._parse = lambda arguments: work
sys.exit(entry.main([]))
"""


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_does_not_end_the_tidying_up(
    first: signal.Signals, second: signal.Signals, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    process = start(file, code=SLOW)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    process.send_signal(first)
    while not file.exists():
        assert process.poll() is None
    process.send_signal(second)
    ended = finish(process)
    assert (ended.status, ended.err) == (130, "sslauth: interrupted\n")
    assert file.read_text() == "tidied up"


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_heeded_before_is_heeded_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    try:
        signal.signal(number, signal.SIG_DFL)
        with pytest.raises(KeyboardInterrupt), ended_cleanly():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # as under nohup
        with ended_cleanly():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
