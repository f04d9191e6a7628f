"""Where a command writes: results to standard output or a file, the rest to standard error, tokens never."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from hf_integration.base.errors import OutputError, UsageError
from hf_integration.base.output_files import check_apart, check_file, write_whole
from hf_integration.base.progress import Progress, Silent, StageLines
from hf_integration.base.text import harmless


class Format(StrEnum):
    """What the result of every command can look like."""

    HUMAN = "human"
    JSON = "json"
    QUIET = "quiet"


@dataclass(frozen=True)
class Streams:
    """The outputs of one command.

    Attributes:
        format: what the result looks like; one of :class:`Format`, or a reporter's name.
        output: file for the result instead of standard output.
        quiet: no messages and no progress; errors are still said.
        beside: other files that the command writes.
    """

    format: str
    output: Path | None
    quiet: bool
    beside: tuple[Path, ...] = ()

    @classmethod
    def chosen(cls, format: str | None, output: Path | None, quiet: bool) -> "Streams":
        """Streams from the options; ``-q`` alone means the quiet format as well.

        Raises:
            OutputError: the output file could not be written later, or is the ``sslauth.toml`` here.
        """
        if output is not None:
            check_file(output)
            from hf_integration.checking.pins import PINS_FILE

            check_apart(output, Path(PINS_FILE))
        chosen = format or (Format.QUIET if quiet else Format.HUMAN)
        silent = quiet or chosen == Format.QUIET
        if silent:  # read by huggingface_hub when it is imported, which is later
            os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        return cls(chosen, output, silent)

    def keep_apart(self, *places: Path) -> None:
        """Refuse an output file that is one of the files that are read, or lies in such a folder.

        Raises:
            OutputError: it is, or does.
        """
        for path in (*([self.output] if self.output else []), *self.beside):
            check_apart(path, *places)

    @property
    def color(self) -> bool:
        """Whether the result may hold ANSI colours: only in a terminal, and not against the user's wish."""
        on_terminal = self.output is None and sys.stdout is not None and sys.stdout.isatty()
        return on_terminal and not os.environ.get("NO_COLOR")

    def result(self, text: str) -> None:
        """Write the result, whole.

        Raises:
            OutputError: it could not be written; without it there is no result that anybody could rely on.
        """
        if self.output is not None:
            write_whole(self.output, f"{text}\n".encode(errors="backslashreplace"))
            return
        if sys.stdout is None:  # closed before the start
            raise OutputError("standard output is closed")
        with _named("standard output"):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def conclude(self, text: str, status: int) -> int:
        """Write what was found, and give the status: a finding stands, whether or not anybody could read it.

        Raises:
            OutputError: it could not be written, and the status would be 0.
        """
        try:
            self.result(text)
        except OutputError as error:
            if not status:
                raise
            complain(f"error: {error}")
            abandon_output()
        return status

    def say(self, message: str) -> None:
        """A message for the person who waits."""
        if not self.quiet:
            _write_error(harmless(message, longest=1000))

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """Progress bars if somebody is watching a terminal; in a log, a line as each stage begins."""
        if self.quiet or sys.stderr is None:
            yield Silent()
            return
        if not sys.stderr.isatty():
            yield StageLines(self.say)
            return
        from hf_integration.cli.bars import bars

        with bars() as drawn:
            yield drawn


def complain(message: str) -> None:
    """Say an error in one line, whatever it quotes."""
    _write_error(f"sslauth: {harmless(message, longest=1000)}")


def complain_at_length(text: str) -> None:
    """Write lines for whoever looks for a defect."""
    _write_error(text.rstrip("\n"))


def tolerate_any_character() -> None:
    """Escape what the terminal's encoding lacks: a name in Greek must not turn a verdict into a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what is still buffered (help texts), so that a failure has a status.

    Raises:
        OutputError: it could not be written.
    """
    if sys.stdout is not None:
        with _named("standard output"):
            sys.stdout.flush()


def abandon_output() -> None:
    """Give up a standard output that failed: the interpreter would try again, and end with 120."""
    _into_nothing(sys.stdout)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputError(f"{name} was closed before the result was written") from error
    except OSError as error:
        raise OutputError(f"cannot write {name}: {error.strerror or error}") from error


def _write_error(line: str) -> None:
    """Standard error may be closed or full as well; the exit status still says it."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
    except OSError:
        _into_nothing(sys.stderr)


def _into_nothing(stream: TextIO | None) -> None:
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor has nothing to flush
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Where the Hub's client looks for a token, in this order."""

HIDDEN = "[token]"

_LOOKS_LIKE_ONE = re.compile(
    r"(?<=Bearer )[^\n]+"
    # 34 letters and digits, with room for a shorter one; names of code are words with underscores
    r"|\bhf_[A-Za-z0-9]{16,}\w*"
    r"|\bhf_(?:oauth|jwt|app)_[\w.-]{8,}"
)
_SHORTEST_PIECE = 8


def check_token(token: str | None) -> None:
    """Refuse a token that cannot stand in a header: an error of the client would quote it.

    Args:
        token: what ``--token`` gave, or ``None``; then the one of the environment is looked at, as the client
            cleans it.

    Raises:
        UsageError: it holds white space, control characters or letters outside of ASCII; does not quote it.
    """
    if token is not None:
        if not token:
            raise UsageError("--token is empty", remedy="leave it out, or give one; is a variable unset?")
        _check_characters("--token", token)
        return
    for name in TOKEN_VARIABLES:
        if value := os.environ.get(name):
            _check_characters(name, _cleaned_token(value))
            return


def _cleaned_token(value: str) -> str:
    """What the client makes of a variable."""
    return value.replace("\r", "").replace("\n", "").strip()


def _check_characters(name: str, token: str) -> None:
    if not all("!" <= character <= "~" for character in token):
        raise UsageError(
            f"{name} is no token: it holds white space, control or non-ASCII characters",
            remedy="copy it again from the Hub's settings, without line breaks",
        )


def without_tokens(text: str) -> str:
    """A text for people with every token left out: those of the environment, and what looks like one."""
    for name in TOKEN_VARIABLES:
        token = os.environ.get(name, "")
        # a line break may be quoted as it is, or escaped: what stands around it is hidden in any case
        pieces = {token, _cleaned_token(token), repr(token)[1:-1], *token.split()}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _SHORTEST_PIECE:
                text = text.replace(piece, HIDDEN)
    return _LOOKS_LIKE_ONE.sub(HIDDEN, text)
