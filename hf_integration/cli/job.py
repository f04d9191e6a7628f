"""What a command function gives to the entry point: work to be done once parsing is over."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from hf_integration.cli import options
from hf_integration.cli.options import HubOptions
from hf_integration.cli.streams import Format, Streams

P = ParamSpec("P")

Job = Callable[[], int]
"""A parsed command, ready to run; gives the exit status."""


def _common(
    *,
    format: options.FormatOption = None,
    output: options.OutputOption = None,
    quiet: options.QuietOption = False,
    token: options.TokenOption = None,
    cache_dir: options.CacheOption = None,
) -> None:
    """The options that every command has; this function is only read."""


def job(work: Callable[Concatenate[Streams, HubOptions, P], int]) -> Callable[..., Job]:
    """Make a command of a function that does its work.

    Args:
        work: is handed the streams and how the Hub is asked, and its own arguments and options; gives the
            exit status. Its docstring is the command's help.

    Returns:
        A function for typer: it has the options of ``work`` and those of every command, and only makes a job,
        so that nothing runs inside of typer, which ends with 1 whatever happens.
    """
    own = list(inspect.signature(work).parameters.values())[2:]
    common = list(inspect.signature(_common).parameters.values())

    @functools.wraps(work)
    def command(
        *args: Any,
        format: Format | None = None,
        output: Path | None = None,
        quiet: bool = False,
        token: str | None = None,
        cache_dir: Path | None = None,
        **rest: Any,
    ) -> Job:
        def run() -> int:
            streams = Streams.chosen(format, output, quiet)
            hub = HubOptions(token, cache_dir)
            hub.use()
            return work(streams, hub, *args, **rest)

        return run

    signature = inspect.Signature([*own, *common], return_annotation=Job)
    command.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *common)}
    return command
