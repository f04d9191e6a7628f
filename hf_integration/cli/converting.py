"""Commands that check a converted encoder: its options, the trusted copy, and the check."""

from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.errors import UsageError
from hf_integration.base.output_files import check_apart
from hf_integration.cli.asking import CopyOptions, EndpointOptions, loaded_copy
from hf_integration.cli.streams import Streams

if TYPE_CHECKING:
    from hf_integration.authentication import Authentication
    from hf_integration.card import WatermarkCard
    from hf_integration.checking.held_card import Access
    from hf_integration.converted.runtime import RuntimeName


class RuntimeChoice(StrEnum):
    """Names of the runtimes, spelled out so that ``--help`` needs no more than this file."""

    ONNX = "onnx"
    FASTEMBED = "fastembed"
    OPENVINO = "openvino"
    CTRANSLATE2 = "ctranslate2"
    GGUF = "gguf"
    TORCHAO = "torchao"


@dataclass(frozen=True)
class ConvertedOptions:
    """What the command line says about a converted encoder.

    Attributes:
        path: file or folder.
        runtime: what it was converted for, if that is said.
        serving: name of the recipe that it is expected to follow.
        keys: how many key samples to run.
        server: of llama.cpp, which runs the file.
    """

    path: Path
    runtime: "RuntimeName | None"
    serving: str | None
    keys: int
    server: EndpointOptions | None = None


def convert_check(
    streams: Streams, access: "Access", options: ConvertedOptions, copy: CopyOptions
) -> "tuple[Authentication, WatermarkCard]":
    """Check a converted encoder against a trusted copy.

    Raises:
        UsageError: an option that makes no sense, a missing extra, or a copy that takes no texts.
        SSLAuthError: the copy cannot be had or is not what is pinned, or the converted file is damaged.
    """
    from hf_integration.converted.behaviour import Expected
    from hf_integration.converted.check import check_converted
    from hf_integration.converted.gguf_model import GgufModel
    from hf_integration.converted.recognising import beside, open_converted
    from hf_integration.endpoints import Endpoint

    expected = Expected.named(options.serving)
    address = None if options.server is None else options.server.address
    streams.keep_apart(options.path)
    if copy.picture is not None:
        check_apart(copy.picture, options.path)
    trusted = loaded_copy(streams, access, copy)
    converted = open_converted(options.path, trusted.encoder, options.runtime)
    streams.say(f"{options.path}: for {converted.runtime}")
    with ExitStack() as stack:
        if address is not None:
            if not isinstance(converted, GgufModel):
                raise UsageError(
                    f"--endpoint is not for {converted.runtime}, which runs here", remedy="leave it out"
                )
            converted.server = stack.enter_context(Endpoint(address, say=streams.say))
        return check_converted(
            trusted.encoder,
            converted,
            expected,
            trust=trusted.trust,
            progress=stack.enter_context(streams.progress()),
            keys=options.keys,
            not_covered=beside(converted),
            accept_self_asserted=copy.accept_self_asserted,
        )
