"""Commands that ask an endpoint: its options, the trusted copy, and the check."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.output_files import check_apart
from hf_integration.cli.options import chosen_signer, understood
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.finding import Found, Place
    from hf_integration.checking.held_card import Access
    from hf_integration.endpoints import Address, Api


class ApiName(StrEnum):
    """Names of the APIs, spelled out so that ``--help`` needs no more than this file."""

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
    int | None, typer.Option("--dimensions", min=1, help="Ask the endpoint for so many dimensions.")
]


def address_of(
    url: str | None, api: ApiName | None, model: str | None, key_variable: str | None, dimensions: int | None
) -> "Address | None":
    """The server that the options name, or ``None`` without any of them.

    Raises:
        UsageError: they make no sense, or there is no URL among them.
    """
    if url is None:
        if (api, model, key_variable, dimensions) != (None,) * 4:
            raise UsageError(
                "--api, --api-model, --api-key-env and --dimensions are for an endpoint",
                remedy="add --endpoint URL",
            )
        return None
    from hf_integration.endpoints import Address

    spoken: Api = (api or ApiName.OPENAI).value
    return Address(url=url, api=spoken, model=model, key_variable=key_variable, dimensions=dimensions)


@dataclass(frozen=True)
class EndpointOptions:
    """What the command line says about an endpoint.

    Attributes:
        url: where it is.
        api: how it is spoken to.
        model: the model to ask it for.
        key_variable: environment variable that holds its key.
        serving: name of the recipe that it is expected to follow.
        dimensions: how many dimensions to ask for.
        keys: how many key samples to ask.
    """

    url: str
    api: "Api"
    model: str | None
    key_variable: str | None
    serving: str | None
    dimensions: int | None
    keys: int


def ask(
    streams: Streams,
    access: "Access",
    encoder: str,
    options: EndpointOptions,
    *,
    card: str | None,
    revision: str | None,
    signer: str | None,
    picture: Path | None,
    accept_self_asserted: bool,
) -> "tuple[Authentication, WatermarkCard]":
    """Check an endpoint against a trusted copy.

    Raises:
        UsageError: an option that makes no sense, or a copy that takes no texts.
        SSLAuthError: the copy cannot be had or is not what is pinned, or the endpoint does not answer.
    """
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.pins import PINS_FILE
    from hf_integration.checking.trusted_copy import trusted_copy
    from hf_integration.endpoints import Address, Endpoint
    from hf_integration.serving.endpoint_check import Asking, check_endpoint
    from hf_integration.serving.presets import preset

    address = Address(
        url=options.url,
        api=options.api,
        model=options.model,
        key_variable=options.key_variable,
        dimensions=options.dimensions,
    )
    asking = Asking(serving=None if options.serving is None else preset(options.serving), keys=options.keys)
    asked = Asked(encoder=encoder, card=card, revision=revision, signer=chosen_signer(signer))

    def apart(found: "Found | Place") -> None:
        understood(found, streams)
        if picture is not None:
            check_apart(picture, Path(PINS_FILE), *found.inputs)
            streams.keep_apart(picture)

    copy = trusted_copy(Project(), asked, access, understood=apart)
    if copy.encoder.path is not None:
        streams.keep_apart(copy.encoder.path)
        if picture is not None:
            check_apart(picture, copy.encoder.path)
    with Endpoint(address, say=streams.say) as endpoint, streams.progress() as progress:
        return check_endpoint(
            copy.encoder,
            endpoint,
            asking,
            trust=copy.trust,
            progress=progress,
            accept_self_asserted=accept_self_asserted,
        )
