"""Progress bars."""

import io
from contextlib import redirect_stderr

import pytest

from hf_integration.base.progress import Silent
from hf_integration.cli.bars import bars
from hf_integration.cli.streams import Format, Streams


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_gets_bars_with_every_stage() -> None:
    with (
        redirect_stderr(Terminal()) as terminal,
        Streams(Format.HUMAN, None, quiet=False).progress() as drawn,
    ):
        drawn.start("first [stage]", 4)
        drawn.advance(4)
        drawn.start("second\x1b[2J", 2)
        drawn.advance()
    assert "first [stage]" in terminal.getvalue()
    assert r"second\x1b[2J" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()


def test_a_stage_that_ends_early_is_shown_as_done() -> None:
    with redirect_stderr(Terminal()) as terminal, bars() as drawn:
        drawn.start("search", 5)
        drawn.advance()
        drawn.start("next", 1)
    assert "5/5" in terminal.getvalue()


def test_quiet_means_no_bars() -> None:
    with (
        redirect_stderr(Terminal()) as terminal,
        Streams(Format.QUIET, None, quiet=True).progress() as progress,
    ):
        assert isinstance(progress, Silent)
    assert terminal.getvalue() == ""


def test_a_pipe_gets_a_line_for_each_stage_and_no_bars() -> None:
    with (
        redirect_stderr(io.StringIO()) as pipe,
        Streams(Format.HUMAN, None, quiet=False).progress() as progress,
    ):
        progress.start("first\x1b[2J", 4)
        progress.advance(4)
        progress.start("second", 2)
    assert pipe.getvalue() == "first\\x1b[2J (4) ...\nsecond (2) ...\n"
