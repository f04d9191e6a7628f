"""Commands that check a converted encoder: its options, the trusted copy, and the check."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hf_integration.base.output_files import check_apart
from hf_integration.cli.asking import CopyOptions, loaded_copy
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
    """

    path: Path
    runtime: "RuntimeName | None"
    serving: str | None
    keys: int


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
    from hf_integration.converted.recognising import beside, open_converted

    expected = Expected.named(options.serving)
    streams.keep_apart(options.path)
    if copy.picture is not None:
        check_apart(copy.picture, options.path)
    trusted = loaded_copy(streams, access, copy)
    converted = open_converted(options.path, trusted.encoder, options.runtime)
    streams.say(f"{options.path}: for {converted.runtime}")
    with streams.progress() as progress:
        return check_converted(
            trusted.encoder,
            converted,
            expected,
            trust=trusted.trust,
            progress=progress,
            keys=options.keys,
            not_covered=beside(converted),
            accept_self_asserted=copy.accept_self_asserted,
        )
