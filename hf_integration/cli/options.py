"""Commands as typer sees them: options that several share, and jobs to be done once parsing is over."""

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import read_span
from hf_integration.cli.streams import Format, Streams, check_token

if TYPE_CHECKING:
    from hf_integration.checking.finding import Found, Place
    from hf_integration.checking.held_card import Access
    from hf_integration.signing import Publisher, Signer


Meant = TypeVar("Meant", bound="Found | Place")


class PrecisionName(StrEnum):
    """Names of the precisions; spelled out here because the engine's list lies behind an import of torch."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class ModalityName(StrEnum):
    """Names of the modalities, spelled out for the same reason."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


class PoolingName(StrEnum):
    """Names of the poolings, spelled out for the same reason."""

    CLS = "cls"
    MAX = "max"
    MEAN = "mean"
    MEAN_SQRT_LEN_TOKENS = "mean_sqrt_len_tokens"
    WEIGHTEDMEAN = "weightedmean"
    LASTTOKEN = "lasttoken"
    POOLER = "pooler"


ENCODER_HELP = "A name in sslauth.toml (tried first), a local folder, or a Hub repository id, ORG/NAME."

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the result there instead of to standard output."),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", help="No messages and no progress; the quiet format unless another is given."
    ),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", help="Hub token; by default the one of 'hf auth login' or HF_TOKEN.")
]
SelfAssertedOption = Annotated[
    bool,
    typer.Option("--trust-self-asserted", help="Accept a card that only the checked repository vouches for."),
]
SignerOption = Annotated[
    str | None,
    typer.Option(
        "--signer",
        metavar="KEY",
        help="Who must have signed the card: a public key file, or sigstore:IDENTITY@ISSUER.",
        show_default=False,
    ),
]
PublisherOption = Annotated[
    str | None,
    typer.Option(
        "--publisher",
        metavar="KEY",
        help="Who must have signed the encoder's files (model.sig): a public key file, certificate:FILE, or"
        " sigstore:IDENTITY@ISSUER.",
        show_default=False,
    ),
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache-dir", metavar="DIR", help="Folder of the Hub cache.")
]
RevisionOption = Annotated[
    str | None, typer.Option("--revision", metavar="R", help="Branch, tag or commit of a Hub repository.")
]
ModalityOption = Annotated[
    ModalityName | None,
    typer.Option("--modality", help="Which tower of a model with two, such as CLIP. [default: image]"),
]
PoolingOption = Annotated[
    PoolingName | None,
    typer.Option(
        "--pooling",
        help="How the states of a plain transformers encoder become one embedding; the card records it. "
        "[default: the library's way]",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="D", help="cpu, cuda, cuda:1; by default an accelerator if there is one."
    ),
]


def format_option(formats: Iterable[str]) -> Any:
    """The option ``--format``, as an annotation: one of these formats, of which ``quiet`` is one."""
    choices: Any = StrEnum("Format", [(name.upper(), name) for name in formats])  # type: ignore[misc]  # for typer
    longer = ", ".join(name for name in choices if name != "quiet")
    said = f"{longer}, or quiet: one word.  [default: human]"
    return Annotated[choices | None, typer.Option("--format", help=said, show_default=False)]


@dataclass(frozen=True)
class HubOptions:
    """The options of every command that have to do with the Hub.

    Attributes:
        token: Hub token, if not the saved one.
        cache_dir: Hub cache, if not the usual one.
    """

    token: str | None = field(default=None, repr=False)
    cache_dir: Path | None = None

    def use(self) -> None:
        """Make them hold for everything that this process and its children ask the Hub.

        Called before huggingface_hub is imported, which reads the cache's place once.

        Raises:
            UsageError: the token, or the one of the environment, cannot be one.
        """
        check_token(self.token)
        if self.token is not None:
            os.environ["HF_TOKEN"] = self.token
        if self.cache_dir is not None:
            os.environ["HF_HUB_CACHE"] = str(self.cache_dir.absolute())

    def access(self, streams: Streams, device: str | None = None) -> "Access":
        """How encoders and cards are fetched and loaded, and who is told.

        Args:
            streams: of the command.
            device: where encoders are loaded.
        """
        from hf_integration.checking.held_card import Access

        return Access(token=self.token, cache_dir=self.cache_dir, device=device, say=streams.say)


def understood(found: Meant, streams: Streams) -> Meant:
    """Say how names were understood, and keep outputs apart from what they lead to.

    Raises:
        OutputError: the output would replace something that is read.
    """
    for line in found.said:
        streams.say(line)
    streams.keep_apart(*found.inputs)
    return found


def chosen_signer(text: str | None) -> "Signer | None":
    """The signer that ``--signer`` names, once it is known that signatures can be checked here.

    Raises:
        UsageError: it names none, or the extra ``sign`` is not installed.
    """
    if text is None:
        return None
    from hf_integration.signing import require_extra, signer_from

    require_extra()
    return signer_from(text)


def chosen_publisher(text: str | None) -> "Publisher | None":
    """The publisher that ``--publisher`` names, once it is known that signatures can be checked here.

    Raises:
        UsageError: it names none, or the extra ``sign`` is not installed.
    """
    if text is None:
        return None
    from hf_integration.signing import publisher_from, require_extra

    require_extra()
    return publisher_from(text)


def given_file(name: str | Path | None) -> list[Path]:
    """An argument that may be a file or folder, if there is one of that name."""
    return [Path(name)] if name is not None and os.path.lexists(name) else []


def span(option: str, text: str) -> timedelta:
    """The span of time that an option names.

    Raises:
        UsageError: it names none.
    """
    try:
        return read_span(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None


P = ParamSpec("P")

Job = Callable[[], int]
"""A parsed command, ready to run; gives the exit status."""

Work = Callable[Concatenate[Streams, HubOptions, P], int]
"""Is handed the streams and how the Hub is asked, and its own arguments and options; gives the exit status.

Its docstring is the command's help.
"""


def _common(
    *,
    output: OutputOption = None,
    quiet: QuietOption = False,
    token: TokenOption = None,
    cache_dir: CacheOption = None,
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
    first = inspect.Parameter(
        "format", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=format_option(formats)
    )
    common = [first, *inspect.signature(_common).parameters.values()]

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


def options_of(
    other: Callable[..., Any], *, leave_out: Iterable[str] = ()
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command's work the arguments and options of another function besides its own keyword options.

    Args:
        other: begins with streams and Hub options, as all work does.
        leave_out: names of its parameters that the command does not have.
    """

    def decorate(work: Callable[..., int]) -> Callable[..., int]:
        own = [
            parameter
            for parameter in list(inspect.signature(work).parameters.values())[2:]
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        taken = [one for one in inspect.signature(other).parameters.values() if one.name not in leave_out]
        work.__signature__ = inspect.Signature([*taken, *own])  # type: ignore[attr-defined]  # what job() reads
        return work

    return decorate
