"""The option ``--converted``: a converted encoder, the trusted copy, and the check."""

from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import UsageError
from hf_integration.base.output_files import check_apart
from hf_integration.base.vocabulary import USUAL_KEYS
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli.asking import apart, keep_copy_apart
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.finding import Asked
    from hf_integration.checking.held_card import Access
    from hf_integration.converted.knowledge import Knowledge
    from hf_integration.converted.runtime import RuntimeName


class RuntimeChoice(StrEnum):
    """Names of the runtimes, spelled out so that ``--help`` needs no more than this file."""

    ONNX = "onnx"
    FASTEMBED = "fastembed"
    OPENVINO = "openvino"
    CTRANSLATE2 = "ctranslate2"
    GGUF = "gguf"
    TORCHAO = "torchao"


def convert_check(
    streams: Streams,
    access: "Access",
    asked: "Asked",
    path: Path,
    *,
    runtime: "RuntimeName | None",
    wanted: EndpointWanted,
    picture: Path | None,
    accept_self_asserted: bool,
) -> "tuple[Authentication, WatermarkCard]":
    """Check a converted encoder against a trusted copy, or against a card alone.

    Args:
        streams: of the command.
        access: to the Hub.
        asked: the trusted copy, or the encoder whose card it is.
        path: file or folder.
        runtime: what it was converted for, if that is said.
        wanted: the expected recipe, how many key samples, whether the card is all there is, and for a GGUF
            file the server that runs it.
        picture: where one is written.
        accept_self_asserted: let a copy or a card count that nobody pinned.

    Raises:
        UsageError: an option that makes no sense, a missing extra, or a copy that takes no texts.
        SSLAuthError: the copy or the card cannot be had or is not what is pinned, or the converted file is
            damaged.
    """
    from hf_integration.checking.deployed import card_alone
    from hf_integration.checking.finding import Project
    from hf_integration.checking.trusted_copy import trusted_copy
    from hf_integration.converted.behaviour import Expected
    from hf_integration.converted.card_knowledge import CardKnowledge
    from hf_integration.converted.check import check_converted
    from hf_integration.converted.copy_knowledge import CopyKnowledge
    from hf_integration.converted.gguf_model import GgufModel
    from hf_integration.converted.recognising import beside, open_converted
    from hf_integration.endpoints import Endpoint

    expected = Expected.named(wanted.serving)
    address = None
    if wanted.url is not None:
        address = replace(wanted, api=wanted.api or "llamacpp").address()
    streams.keep_apart(path)
    if picture is not None:
        check_apart(picture, path)
    understood = apart(streams, picture)
    knowledge: Knowledge
    if wanted.by_card:
        card, trust, signers = card_alone(Project(), asked, wanted, access, understood=understood)
        knowledge = CardKnowledge(card)
    else:
        copy = trusted_copy(Project(), asked, access, understood=understood)
        keep_copy_apart(streams, copy, picture)
        knowledge, trust, signers = CopyKnowledge(copy.encoder), copy.trust, copy.signers
    converted = open_converted(path, knowledge.original, runtime)
    streams.say(f"{path}: for {converted.runtime}")
    with ExitStack() as stack:
        if address is not None:
            if not isinstance(converted, GgufModel):
                raise UsageError(
                    f"--endpoint is not for {converted.runtime}, which runs here", remedy="leave it out"
                )
            converted.server = stack.enter_context(Endpoint(address, say=streams.say))
        authentication, made = check_converted(
            knowledge,
            converted,
            expected,
            trust=trust,
            progress=stack.enter_context(streams.progress()),
            keys=wanted.keys or USUAL_KEYS,
            not_covered=beside(converted),
            accept_self_asserted=accept_self_asserted,
        )
    verdict = replace(authentication.verdict, signers=signers)
    return replace(authentication, verdict=verdict), made
