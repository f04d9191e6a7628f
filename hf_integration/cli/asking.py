"""Commands that ask an endpoint: the options by which they all name one."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.output_files import check_apart
from hf_integration.base.vocabulary import FEWEST_KEYS, MOST_KEYS, MOST_WIDTH
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli.options import understood
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.checking.deployed import Deployed
    from hf_integration.checking.finding import Asked, Found, Place
    from hf_integration.checking.held_card import Access


class ApiName(StrEnum):
    """Names of the APIs, spelled out for typer."""

    OPENAI = "openai"
    TEI = "tei"
    OLLAMA = "ollama"
    LLAMACPP = "llamacpp"
    COHERE = "cohere"
    HF = "hf"


def _options(
    *,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="URL", help="Ask the server that answers there; ENCODER is a trusted copy."
        ),
    ] = None,
    pinned_endpoint: Annotated[
        bool, typer.Option("--pinned-endpoint", help="Ask the server that sslauth.toml names for ENCODER.")
    ] = False,
    api: Annotated[
        ApiName | None,
        typer.Option("--api", help="How to speak to the endpoint.  [default: openai]", show_default=False),
    ] = None,
    api_model: Annotated[
        str | None, typer.Option("--api-model", metavar="NAME", help="The model to ask the endpoint for.")
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option("--api-key-env", metavar="VAR", help="Environment variable that holds its key."),
    ] = None,
    serving: Annotated[
        str | None,
        typer.Option(
            "--serving",
            metavar="RECIPE",
            help="What the endpoint is expected to do to the encoder, such as tei or ollama.",
        ),
    ] = None,
    dimensions: Annotated[
        int | None,
        typer.Option("--dimensions", min=1, max=MOST_WIDTH, help="Ask the endpoint for so many dimensions."),
    ] = None,
    keys: Annotated[
        int | None,
        typer.Option("--keys", min=FEWEST_KEYS, max=MOST_KEYS, help="Fresh key samples to ask the endpoint."),
    ] = None,
) -> None:
    """The options that name an endpoint; this function is only read."""


Result = TypeVar("Result")


def asks(work: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the options of an endpoint in place of its parameter ``wanted``.

    Args:
        work: takes ``wanted``, an :class:`EndpointWanted`, or ``None`` if the command line names no endpoint.

    Returns:
        A function with the options instead.
    """
    signature = inspect.signature(work)
    own = [parameter for name, parameter in signature.parameters.items() if name != "wanted"]
    options = inspect.signature(_options).parameters

    @functools.wraps(work)
    def command(*args: Any, **given: Any) -> Result:
        said = {name: given.pop(name, None) for name in options}
        return work(*args, **given, wanted=_wanted(**said))

    command.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what the decorator of jobs reads
        parameters=[*own, *options.values()]
    )
    return command


def _wanted(
    *, endpoint: str | None, pinned_endpoint: bool, api: str | None, api_model: str | None, **rest: Any
) -> EndpointWanted | None:
    key_env = rest.pop("api_key_env")
    said = EndpointWanted(
        url=endpoint, api=None if api is None else str(api), model=api_model, key_env=key_env, **rest
    )
    if endpoint is not None or pinned_endpoint:
        if endpoint is not None and pinned_endpoint:
            raise UsageError("--endpoint and --pinned-endpoint name two servers", remedy="give one of them")
        return said
    if said != EndpointWanted():
        raise UsageError(
            "--api, --keys, --serving and so on are for an endpoint",
            remedy="add --endpoint URL or --pinned-endpoint",
        )
    return None


@contextmanager
def opened(
    streams: Streams,
    access: "Access",
    asked: "Asked",
    wanted: EndpointWanted,
    *,
    picture: Path | None = None,
) -> "Iterator[Deployed]":
    """Load a trusted copy and open its endpoint, with all outputs kept apart from what is read.

    Raises:
        UsageError: an option that makes no sense, or a copy that takes no texts.
        SSLAuthError: the copy cannot be had or is not what is pinned.
    """
    from hf_integration.checking.deployed import deployed
    from hf_integration.checking.finding import Project
    from hf_integration.checking.pins import PINS_FILE

    def apart(found: "Found | Place") -> None:
        understood(found, streams)
        if picture is not None:
            check_apart(picture, Path(PINS_FILE), *found.inputs)
            streams.keep_apart(picture)

    with deployed(Project(), asked, wanted, access, understood=apart) as found:
        if (folder := found.copy.encoder.path) is not None:
            streams.keep_apart(folder)
            if picture is not None:
                check_apart(picture, folder)
        yield found
