"""Options that several commands share, and what they accept."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hf_integration.cli.streams import Format


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


ENCODER_HELP = "A name in sslauth.toml (tried first), a local folder, or a Hub repository id, ORG/NAME."

FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="human, json, or quiet: one word.  [default: human]", show_default=False),
]
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
CacheOption = Annotated[
    Path | None, typer.Option("--cache-dir", metavar="DIR", help="Folder of the Hub cache.")
]
RevisionOption = Annotated[
    str | None, typer.Option("--revision", metavar="R", help="Branch, tag or commit of a Hub repository.")
]
ModalityOption = Annotated[
    ModalityName | None,
    typer.Option("--modality", help="Which tower of a model with two, as of CLIP. [default: image]"),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="D", help="cpu, cuda, cuda:1; by default an accelerator if there is one."
    ),
]
