"""Commands that hold an endpoint against a trusted copy: the options by which they name both."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.output_files import check_apart
from hf_integration.base.vocabulary import FEWEST_KEYS, MOST_KEYS
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli.options import span, understood
from hf_integration.cli.server_options import (
    ApiKeyOption,
    ApiModelOption,
    ApiOption,
    DimensionsOption,
    Result,
    instead,
)
from hf_integration.cli.streams import Streams
from hf_integration.serving.noticing import CONFIDENCE, requests_to_notice

if TYPE_CHECKING:
    from hf_integration.checking.deployed import Deployed
    from hf_integration.checking.finding import Asked, Found, Place
    from hf_integration.checking.held_card import Access
    from hf_integration.checking.trusted_copy import TrustedCopy


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
    api: ApiOption = None,
    api_model: ApiModelOption = None,
    api_key_env: ApiKeyOption = None,
    serving: Annotated[
        str | None,
        typer.Option(
            "--serving",
            metavar="RECIPE",
            help="What was done to the encoder, as you expect it: tei, ollama, int8 and so on.",
        ),
    ] = None,
    dimensions: DimensionsOption = None,
    by_card: Annotated[
        bool,
        typer.Option(
            "--by-card",
            help="Hold a server or a converted encoder against the card alone, without the weights.",
        ),
    ] = False,
    keys: Annotated[
        int | None,
        typer.Option("--keys", min=FEWEST_KEYS, max=MOST_KEYS, help="Number of fresh key samples."),
    ] = None,
    notice: Annotated[
        float | None,
        typer.Option(
            "--notice",
            metavar="SHARE",
            help="In place of --keys: as many as it takes to notice another encoder behind this share of"
            " requests, such as 0.05.",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            metavar="C",
            help="How surely that is noticed.  [default: 0.99]",
            show_default=False,
        ),
    ] = None,
    spread: Annotated[
        str | None,
        typer.Option("--spread", metavar="SPAN", help="Ask at random moments within 90s, 10m or 1h."),
    ] = None,
) -> None:
    """The options that name an endpoint; this function is only read."""


def asks(work: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the options of an endpoint in place of its parameter ``wanted``.

    Args:
        work: takes ``wanted``, an :class:`EndpointWanted`, or ``None`` if the command line names no endpoint.
            If it takes ``converted`` as well and that is given, ``wanted`` may have no URL.

    Returns:
        A function with the options instead.
    """
    return instead(
        work,
        "wanted",
        inspect.signature(_options).parameters,
        lambda said, given: _wanted(**said, converted=given.get("converted") is not None),
    )


def _wanted(
    *,
    endpoint: str | None,
    pinned_endpoint: bool,
    api: str | None,
    api_model: str | None,
    converted: bool,
    **rest: Any,
) -> EndpointWanted | None:
    key_env = rest.pop("api_key_env")
    rest["by_card"] = rest["by_card"] or None  # what is left out may be in the entry
    if (over := rest["spread"]) is not None:
        rest["spread"] = span("--spread", over).total_seconds()
    if (share := rest.pop("notice")) is not None:
        rest["keys"] = _enough(share, rest["confidence"], keys=rest["keys"])
    elif rest["confidence"] is not None and not 0 < rest["confidence"] < 1:
        raise UsageError(f"--confidence {rest['confidence']:g}", remedy=_BETWEEN)
    said = EndpointWanted(
        url=endpoint, api=None if api is None else str(api), model=api_model, key_env=key_env, **rest
    )
    if converted:
        of_both = EndpointWanted(serving=said.serving, keys=said.keys, by_card=said.by_card)
        if pinned_endpoint or (endpoint is None and said != of_both):
            raise UsageError("options of an endpoint are not for converted encoders", remedy="leave them out")
        return said
    if endpoint is not None or pinned_endpoint:
        if endpoint is not None and pinned_endpoint:
            raise UsageError("--endpoint and --pinned-endpoint name two servers", remedy="give one of them")
        return said
    if said != EndpointWanted():
        raise UsageError(
            "--api, --keys, --serving and so on are for an endpoint",
            remedy="add --endpoint URL, --pinned-endpoint or --converted PATH",
        )
    return None


_BETWEEN = "give a number between 0 and 1, such as 0.05 for --notice and 0.99 for --confidence"


def _enough(share: float, confidence: float | None, *, keys: int | None) -> int:
    """Key samples that it takes to notice another encoder behind a share of requests.

    Raises:
        UsageError: no number of them does, or the caller gives one as well.
    """
    if keys is not None:
        raise UsageError("--notice and --keys both say how many key samples", remedy="give one of them")
    try:
        enough = requests_to_notice(share, CONFIDENCE if confidence is None else confidence)
    except ValueError as error:
        raise UsageError(f"--notice and --confidence: {error}", remedy=_BETWEEN) from None
    if enough > MOST_KEYS:
        raise UsageError(
            f"--notice {share:g} takes {enough} requests, more than {MOST_KEYS}", remedy="ask for less"
        )
    return max(enough, FEWEST_KEYS)


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

    with deployed(Project(), asked, wanted, access, understood=apart(streams, picture)) as found:
        if found.copy is not None:
            keep_copy_apart(streams, found.copy, picture)
        yield found


def apart(streams: Streams, picture: Path | None) -> "Callable[[Found | Place], None]":
    """What is told how names were understood: it keeps all outputs apart from what they name."""
    from hf_integration.checking.pins import PINS_FILE

    def told(found: "Found | Place") -> None:
        understood(found, streams)
        if picture is not None:
            check_apart(picture, Path(PINS_FILE), *found.inputs)
            streams.keep_apart(picture)

    return told


def keep_copy_apart(streams: Streams, copy: "TrustedCopy", picture: Path | None) -> None:
    """Keep all outputs apart from the folder of a trusted copy.

    Raises:
        UsageError: an output is in it.
    """
    if copy.encoder.path is not None:
        streams.keep_apart(copy.encoder.path)
        if picture is not None:
            check_apart(picture, copy.encoder.path)
