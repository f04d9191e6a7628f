"""What a command function gives to the entry point: work to be done once parsing is over."""

import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from hf_integration.cli import options
from hf_integration.cli.options import HubOptions
from hf_integration.cli.streams import Format, Streams

P = ParamSpec("P")

Job = Callable[[], int]
"""A parsed command, ready to run; gives the exit status."""

Work = Callable[Concatenate[Streams, HubOptions, P], int]
"""Is handed the streams and how the Hub is asked, and its own arguments and options; gives the exit status.

Its docstring is the command's help.
"""


def _common(
    *,
    output: options.OutputOption = None,
    quiet: options.QuietOption = False,
    token: options.TokenOption = None,
    cache_dir: options.CacheOption = None,
) -> None:
    """The options that every command has beside ``--format``; this function is only read."""


def job(formats: Iterable[str] = Format) -> Callable[[Work[P]], Callable[..., Job]]:
    """Make commands of functions that do their work.

    Args:
        formats: what the result can look like: the formats of every command, and whatever else this one has.

    Returns:
        A decorator. What it makes is for typer: a function that has its own options and those of every
        command, and only makes a job, so that nothing runs inside of typer, which ends with 1 whatever
        happens.
    """
    return functools.partial(_command, formats)


def _command(formats: Iterable[str], work: Work[P]) -> Callable[..., Job]:
    own = list(inspect.signature(work).parameters.values())[2:]
    format_option = inspect.Parameter(
        "format", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=options.format_option(formats)
    )
    common = [format_option, *inspect.signature(_common).parameters.values()]

    @functools.wraps(work)
    def command(
        *args: Any,
        format: str | None = None,
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
