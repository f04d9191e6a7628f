"""The options by which commands name a server, and how a command gets what they name."""

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import FEWEST_DIMENSIONS, MOST_WIDTH
from hf_integration.checking.wanted import EndpointWanted

if TYPE_CHECKING:
    from hf_integration.endpoints import Address

Result = TypeVar("Result")


class ApiName(StrEnum):
    """Names of the APIs, spelled out for typer."""

    OPENAI = "openai"
    TEI = "tei"
    OLLAMA = "ollama"
    LLAMACPP = "llamacpp"
    COHERE = "cohere"
    HF = "hf"


ApiOption = Annotated[
    ApiName | None,
    typer.Option("--api", help="How to speak to the endpoint.  [default: openai]", show_default=False),
]
ApiModelOption = Annotated[
    str | None, typer.Option("--api-model", metavar="NAME", help="The model to ask the endpoint for.")
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option("--api-key-env", metavar="VAR", help="Environment variable that holds its key."),
]
DimensionsOption = Annotated[
    int | None,
    typer.Option(
        "--dimensions", min=FEWEST_DIMENSIONS, max=MOST_WIDTH, help="Ask the endpoint for so many dimensions."
    ),
]


def asks_server(
    said: str, *, needed: bool = False
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command without a trusted copy the options of an endpoint in place of its parameter ``server``.

    Args:
        said: the help of ``--endpoint``.
        needed: whether the command cannot do without.

    Returns:
        A decorator. What it decorates takes ``server``, an :class:`~hf_integration.endpoints.Address`, or
        ``None`` if the command line names no endpoint.
    """
    url = typer.Option("--endpoint", metavar="URL", help=said)
    keyword = inspect.Parameter.KEYWORD_ONLY
    endpoint = (
        inspect.Parameter("endpoint", keyword, annotation=Annotated[str, url])
        if needed
        else inspect.Parameter("endpoint", keyword, annotation=Annotated[str | None, url], default=None)
    )
    options = {"endpoint": endpoint, **inspect.signature(_server_options).parameters}
    return lambda work: instead(work, "server", options, lambda said, _: _server_of(**said))


def _server_options(
    *,
    api: ApiOption = None,
    api_model: ApiModelOption = None,
    api_key_env: ApiKeyOption = None,
    dimensions: DimensionsOption = None,
) -> None:
    """The options beside ``--endpoint``; this function is only read."""


def _server_of(
    endpoint: str | None,
    api: ApiName | None,
    api_model: str | None,
    api_key_env: str | None,
    dimensions: int | None,
) -> "Address | None":
    """The server that the options name; ``None`` without any of them.

    Raises:
        UsageError: they make no sense, or there is no URL among them.
    """
    said = EndpointWanted(
        url=endpoint,
        api=None if api is None else str(api),
        model=api_model,
        key_env=api_key_env,
        dimensions=dimensions,
    )
    if endpoint is None and said != EndpointWanted():
        raise UsageError(
            "--api, --api-model, --api-key-env and --dimensions are for an endpoint",
            remedy="add --endpoint URL",
        )
    return None if endpoint is None else said.address()


def check_either(verb: str, encoder: str | None, server: "Address | None", **of_encoder: object) -> None:
    """Refuse a command line that names neither an encoder nor an endpoint, or both.

    Args:
        verb: what the command does with it.
        encoder: its name.
        server: the endpoint.
        of_encoder: options that only an encoder has, ``None`` where they were left out.

    Raises:
        UsageError: it names not one of them, or has an option of the other.
    """
    if (server is None) == (encoder is None):
        raise UsageError(f"{verb} either an ENCODER or an endpoint", remedy="name one of them")
    if server is not None and any(value is not None for value in of_encoder.values()):
        *most, last = (f"--{name}" for name in of_encoder)
        raise UsageError(f"{', '.join(most)} and {last} are for an ENCODER", remedy="leave them out")


def instead(
    work: Callable[..., Result],
    name: str,
    options: Mapping[str, inspect.Parameter],
    read: Callable[[dict[str, Any], Mapping[str, Any]], object],
) -> Callable[..., Result]:
    """A command with options in place of one parameter, which is read from them and what else is given."""
    signature = inspect.signature(work)
    own = [parameter for other, parameter in signature.parameters.items() if other != name]

    @functools.wraps(work)
    def command(*args: Any, **given: Any) -> Result:
        said = {option: given.pop(option, None) for option in options}
        return work(*args, **given, **{name: read(said, given)})

    command.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what the decorator of jobs reads
        parameters=[*own, *options.values()]
    )
    return command
