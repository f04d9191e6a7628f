"""Commands that ask an endpoint: its options, the trusted copy, and the check."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.output_files import check_apart
from hf_integration.cli.options import chosen_signer, understood
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.finding import Found, Place
    from hf_integration.checking.held_card import Access
    from hf_integration.checking.trusted_copy import TrustedCopy
    from hf_integration.endpoints import Address, Api


class ApiName(StrEnum):
    """Names of the APIs, spelled out so that ``--help`` needs no more than this file."""

    OPENAI = "openai"
    TEI = "tei"
    OLLAMA = "ollama"
    LLAMACPP = "llamacpp"
    COHERE = "cohere"
    HF = "hf"


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

    @property
    def address(self) -> "Address":
        """Where and how the endpoint is asked.

        Raises:
            UsageError: this is no address.
        """
        from hf_integration.endpoints import Address

        return Address(
            url=self.url,
            api=self.api,
            model=self.model,
            key_variable=self.key_variable,
            dimensions=self.dimensions,
        )


@dataclass(frozen=True)
class CopyOptions:
    """What the command line says about the trusted copy, and what is made of the check.

    Attributes:
        encoder: as the caller named it.
        card: that it has to fit.
        revision: branch, tag or commit of a Hub repository.
        signer: who must have signed the card.
        picture: where one is written.
        accept_self_asserted: let a copy count that nobody pinned.
    """

    encoder: str
    card: str | None
    revision: str | None
    signer: str | None
    picture: Path | None
    accept_self_asserted: bool


def loaded_copy(streams: Streams, access: "Access", options: CopyOptions) -> "TrustedCopy":
    """Load the trusted copy, and keep what is written apart from it.

    Raises:
        UsageError: an option that makes no sense, or a copy that takes no texts.
        SSLAuthError: the copy cannot be had or is not what is pinned.
    """
    from hf_integration.checking.finding import Asked, Project
    from hf_integration.checking.pins import PINS_FILE
    from hf_integration.checking.trusted_copy import trusted_copy

    asked = Asked(
        encoder=options.encoder,
        card=options.card,
        revision=options.revision,
        signer=chosen_signer(options.signer),
    )
    picture = options.picture

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
    return copy


def ask(
    streams: Streams, access: "Access", options: EndpointOptions, copy_options: CopyOptions
) -> "tuple[Authentication, WatermarkCard]":
    """Check an endpoint against a trusted copy.

    Raises:
        UsageError: an option that makes no sense, or a copy that takes no texts.
        SSLAuthError: the copy cannot be had or is not what is pinned, or the endpoint does not answer.
    """
    from hf_integration.endpoints import Endpoint
    from hf_integration.serving.endpoint_check import Asking, check_endpoint
    from hf_integration.serving.presets import preset

    address = options.address
    asking = Asking(serving=None if options.serving is None else preset(options.serving), keys=options.keys)
    copy = loaded_copy(streams, access, copy_options)
    with Endpoint(address, say=streams.say) as endpoint, streams.progress() as progress:
        return check_endpoint(
            copy.encoder,
            endpoint,
            asking,
            trust=copy.trust,
            progress=progress,
            accept_self_asserted=copy_options.accept_self_asserted,
        )
