"""The one place where everything that can happen becomes an exit status.

0 authentic or done, 1 altered or unlike a stamp or baseline and nothing else ever, 2 usage or bad local
input, 3 inconclusive, 4 integrity of the evidence, 70 internal error, 130 interrupted. Python and typer end
with 1 for an uncaught exception, a full disk and a closed pipe, which would read as "altered": so typer only
parses here, and what it parsed is run outside of it.
"""

import errno
import logging
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import OutputError, SSLAuthError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import ExitStatus
from hf_integration.cli.streams import (
    abandon_output,
    complain,
    complain_at_length,
    flush_output,
    tolerate_any_character,
    without_tokens,
)

if TYPE_CHECKING:
    from hf_integration.cli.options import Job


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EPIPE})
"""What an output that is full, read-only or closed says, wherever it is met."""

TRACEBACK = "SSLAUTH_TRACEBACK"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit status; never raises, whatever happens.

    Args:
        arguments: without the program's name; by default those of this process.
    """
    tolerate_any_character()
    _silence_the_hubs_client()
    try:
        with ended_cleanly():
            parsed = _parse(sys.argv[1:] if arguments is None else arguments)
            status = parsed if isinstance(parsed, int) else parsed()
            flush_output()
        return status
    except BaseException as error:  # KeyboardInterrupt and SystemExit have a status too
        return _explain(error)


def _silence_the_hubs_client() -> None:
    """Keep huggingface_hub from announcing every retry and every full disk.

    What comes of it is said in one line at the end. The variable is for its import, which sets a level.
    """
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"huggingface_hub(\.|$)")


def _parse(arguments: Sequence[str]) -> "Job | int":
    """The job that the arguments ask for, or a status when help or the version was all they asked for.

    Raises:
        OutputError: the help could not be written.
    """
    from hf_integration.cli.application import command

    parsed: Job | int
    try:
        parsed = command().main(args=list(arguments), prog_name="sslauth", standalone_mode=False)
    except SystemExit as error:  # typer ends this way, with 1, when help goes into a closed pipe
        raise OutputError("the output was closed") from error
    except OSError as error:  # parsing reads nothing: only writing help can fail this way
        raise OutputError(f"cannot write standard output: {error.strerror or error}") from error
    return parsed


def _explain(error: BaseException) -> int:
    """Say in one line what happened, and give its status."""
    if os.environ.get(TRACEBACK):
        complain_at_length(without_tokens("".join(traceback.format_exception(error))))
    if isinstance(error, SSLAuthError):
        complain(without_tokens(f"error: {error}"))
        if isinstance(error, OutputError):
            abandon_output()
        # an error class that claimed to mean "altered" would be a defect, and not an altered encoder
        never = (ExitStatus.DONE, ExitStatus.ALTERED)
        return error.exit_status if error.exit_status not in never else ExitStatus.INTERNAL
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        complain("interrupted")
        return ExitStatus.INTERRUPTED
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        abandon_output()
        complain(f"error: {error.strerror}{f': {error.filename}' if error.filename else ''}")
        return ExitStatus.USAGE
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # only callers name such files
        complain(f"error: {error.strerror}: {quoted(str(error.filename))} (choose a shorter one)")
        return ExitStatus.USAGE
    if callable(getattr(error, "format_message", None)):
        return _explain_usage(error)
    complain(without_tokens(f"internal error: {type(error).__name__}: {error}"))
    complain(f"this is a defect of sslauth, not a finding; {TRACEBACK}=1 shows where it happened")
    return ExitStatus.INTERNAL


def _explain_usage(error: BaseException) -> int:
    """A usage error; typer raises its own or click's class, depending on its version, so neither is named."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        print(context.get_help(), file=sys.stderr)  # noqa: T201
        return ExitStatus.USAGE
    message: str = error.format_message()  # type: ignore[attr-defined]  # looked for by the caller
    # typer asks pydantic, which puts this before what it was told to say
    complain("error: " + re.sub(r"^(Invalid value for '[^']*': )Value error, ", r"\1", message))
    path = context.command_path if context is not None else "sslauth"
    complain(f"try '{path} --help'")
    return ExitStatus.USAGE


_NAMES = ("SIGTERM", "SIGHUP")


@contextmanager
def ended_cleanly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what runs as Ctrl-C does: workers are ended, nothing half-made is left.

    Only the first of them: what ends services and terminals sends several, and the second one must not end
    the tidying up. A signal that somebody had ignored (``nohup``) or handles already is left as it is.
    """
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]  # Windows has no SIGHUP
    mine = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        mine = []

    def end(*_: Any) -> None:
        for number in mine:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in mine:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)
