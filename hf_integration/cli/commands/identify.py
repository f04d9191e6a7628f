"""``sslauth identify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_integration.base.errors import UsageError
from hf_integration.base.strict_json import strict_json
from hf_integration.base.text import harmless
from hf_integration.base.vocabulary import USUAL_KEYS, ExitStatus
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli import options
from hf_integration.cli.asking import asks, opened
from hf_integration.cli.given_files import texts_and_embeddings
from hf_integration.cli.options import HubOptions, chosen_signer, job, understood
from hf_integration.cli.streams import Format, Streams
from hf_integration.report.columns import number, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from hf_integration.encoders.running.torch_encoder import TorchEncoder
    from hf_integration.key_samples.samples import KeySamples
    from hf_integration.serving.explaining import Explanation

EPILOG = """\b
Examples:
  sslauth identify NAME --endpoint http://localhost:8080 --api tei
  sslauth identify ./my-encoder --texts texts.txt --embeddings vectors.npy

Says why embeddings differ: what would have to be done to ENCODER, a copy you trust, to get those of the
endpoint, or those in a file. Tried are other poolings, prompts, cuts of long texts, dimensions, scaling, GELU
formulas, weights and arithmetic in half precision, and rounded numbers. This is no check: 'verify' is.

--texts is a file with one text per line, or a JSON list of strings. --embeddings holds one row per text; it
is an .npy file, or a JSON list of lists. A dozen texts are enough. Where texts are cut shows only in those
that are longer.

Ends with 0 if a recipe explains the embeddings, and with 3 if none does.

\b
JSON: {"schema": 1, "encoder", "address": URL or null, "texts", "explained", "recipes": [{"preset": name or
null, "recipe": {...}, "words", "fits", "deviation", "distance", "typical"}]}
A deviation of 1 is the edge of what benign runs of that recipe are tolerated. Distances are relative to the
length of an embedding, "distance" in the worst text, "typical" in the median one.
Quiet: the recipe, or 'none'."""


@job()
@asks
def identify(
    streams: Streams,
    hub: HubOptions,
    encoder: Annotated[str, typer.Argument(metavar="ENCODER", help=options.ENCODER_HELP)],
    *,
    texts: Annotated[
        Path | None, typer.Option("--texts", metavar="FILE", help="Texts that were embedded.")
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option("--embeddings", metavar="FILE", help="Their embeddings, row by row.")
    ] = None,
    card: Annotated[
        str | None, typer.Option("--card", metavar="DIR|REPO", help="A card that ENCODER has to fit.")
    ] = None,
    revision: options.RevisionOption = None,
    signer: options.SignerOption = None,
    device: options.DeviceOption = None,
    wanted: EndpointWanted | None = None,
) -> int:
    """Say how an endpoint, or whoever made given embeddings, computes an encoder.

    Pooling, prompt, length, rounding, weights and kernels are searched.
    """
    from hf_integration.checking.finding import Asked, Project

    asked = Asked(encoder=encoder, card=card, revision=revision, signer=chosen_signer(signer))
    access = hub.access(streams, device)
    if wanted is not None and texts is None and embeddings is None:
        if wanted.serving is not None:
            raise UsageError("--serving is what this command finds out", remedy="leave it out")
        if wanted.confidence is not None:
            raise UsageError("--confidence is for a check, and this is none", remedy="leave it out")
        with opened(streams, access, asked, wanted) as deployed:
            from hf_integration.serving.endpoint_check import ask_fresh

            if deployed.copy is None:
                raise UsageError(
                    "a search computes with the weights, and by_card does without them", remedy="leave it out"
                )
            given = ask_fresh(
                deployed.endpoint,
                deployed.copy.encoder,
                keys=wanted.keys or USUAL_KEYS,
                spread=wanted.spread or 0.0,
            )
            copy, address = deployed.copy.encoder, deployed.endpoint.address.url
    elif wanted is None and texts is not None and embeddings is not None:
        streams.keep_apart(texts, embeddings)
        given = texts_and_embeddings(texts, embeddings)
        from hf_integration.checking.trusted_copy import trusted_copy

        found = trusted_copy(Project(), asked, access, understood=lambda found: understood(found, streams))
        copy, address = found.encoder, None
    else:
        raise UsageError(
            "one thing is explained at a time", remedy="give --endpoint, or both --texts and --embeddings"
        )
    return _report(streams, copy, address, *given)


def _report(
    streams: Streams, encoder: "TorchEncoder", address: str | None, samples: "KeySamples", answers: "Tensor"
) -> int:
    from hf_integration.serving.explaining import explain

    with streams.progress() as progress:
        found = explain(encoder, samples, answers, progress)
    explained = any(explanation.fits for explanation in found)
    if streams.format == Format.JSON:
        said = {
            "schema": 1,
            "encoder": encoder.name,
            "address": address,
            "texts": len(samples),
            "explained": explained,
            "recipes": [explanation.to_dict() for explanation in found],
        }
        streams.result(strict_json(said))
    elif streams.format == Format.QUIET:
        streams.result(found[0].words if explained else "none")
    else:
        streams.result(_rendered(encoder.name, address, len(samples), found))
    return ExitStatus.DONE if explained else ExitStatus.INCONCLUSIVE


def _rendered(encoder: str, address: str | None, count: int, found: "Sequence[Explanation]") -> str:
    where = "these embeddings" if address is None else f"the answers of {address}"
    best = found[0] if found else None
    if best is not None and best.fits:
        first = f"{harmless(encoder)} gives {where} if it is computed so: {harmless(best.words)}"
    else:
        first = f"nothing that is known to be done to {harmless(encoder)} gives {where}"
    rows = [("recipe", "", "deviation", "largest distance", "typical")]
    rows += [
        (
            harmless(one.words, longest=120),
            "fits" if one.fits else "",
            number(one.deviation),
            number(one.match.distance),
            number(one.match.typical),
        )
        for one in found
    ]
    return "\n".join([first, f"recipes by how near they come, {count} texts:", *table(rows, right=(2, 3, 4))])
