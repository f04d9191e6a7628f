"""Which reference of a card an encoder is held against."""

import platform
import sys
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import torch

from hf_integration.base.errors import UsageError
from hf_integration.base.vocabulary import HEAD_STRIP, PRECISIONS, Precision, Weights, weights_in
from hf_integration.card import Reference, WatermarkCard
from hf_integration.encoders.interface import Encoder


def default_precision(encoder: Encoder) -> Precision:
    """Float64 where the weights are at hand, else float32."""
    return "float64" if encoder.has_weights else "float32"


def reference_for(card: WatermarkCard, weights: Weights, precision: Precision) -> Reference:
    """The reference of a pair of weights and precision.

    Running in half precision rounds the weights first, so a half precision run of the stored weights and
    one of their recorded cast are the same pair.

    Raises:
        UsageError: unknown precision, or the card has no such reference.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision '{precision}'", remedy=f"choose one of {', '.join(PRECISIONS)}")
    if (
        weights == "stored"
        and precision in ("float16", "bfloat16")
        and card.encoder.stored_dtype != precision
    ):
        weights = precision
    for reference in card.references:
        if (reference.weights, reference.precision) == (weights, precision):
            return reference
    available = sorted({r.precision for r in card.references if r.weights == weights})
    raise UsageError(
        f"the card has no reference for {weights} weights run in {precision}",
        remedy=f"choose --precision {' or '.join(available)}" if available else "mint a new card",
    )


def rounding_of(card: WatermarkCard, weights: Weights) -> Weights:
    """What an encoder whose tensors match is rounded to, so that it is what the reference was run with.

    That leaves values that are rounded already; it rounds those that a re-encoding kept, and gives a copy
    that was saved in a wider dtype the buffers of a load in the narrow one.
    """
    return weights_in(card.encoder.stored_dtype) if weights == "stored" else weights


def other_kind(encoder: Encoder, card: WatermarkCard) -> str | None:
    """How modality, architecture and width differ from those that the card was minted for, if they do.

    Another kind is another encoder: its key samples are not even run, so that no comparison of features of
    different meaning can come out intact by accident.
    """
    mine, recorded = encoder.description, card.encoder
    differences = (
        f"{word} {found} instead of {expected}"
        for word, found, expected in (
            ("modality", mine.modality, recorded.modality),
            ("architecture", mine.architecture, recorded.architecture),
            ("width", mine.embedding_dim, recorded.embedding_dim),
        )
        if found != expected
    )
    return ", ".join(differences) or None


def run_strips(card: WatermarkCard, encoder: Encoder) -> WatermarkCard:
    """The card with the strips that an encoder can have: one without a head has no strip of it.

    Only an encoder that was saved, or given, without a head is excused. One with a head that cannot be run
    breaks the strip.
    """
    kept = [place for place, strip in enumerate(card.strips) if strip != HEAD_STRIP or not encoder.headless]
    if len(kept) == len(card.strips):
        return card
    references = tuple(
        replace(
            reference,
            sketches=reference.sketches[kept],
            calibrations=tuple(reference.calibrations[place] for place in kept),
        )
        for reference in card.references
    )
    return replace(card, strips=tuple(card.strips[place] for place in kept), references=references)


def strips_not_run(card: WatermarkCard, encoder: Encoder) -> tuple[str, ...]:
    """What to say of the strips of a card that an encoder has none of."""
    if HEAD_STRIP in card.strips and encoder.headless:
        return ("the head that the card describes: this encoder has none",)
    return ()


def refuse_part(encoder: Encoder, card: WatermarkCard) -> None:
    """Refuse what is in memory for a card of more, or of less: the pooling is none of the module's.

    Raises:
        UsageError: it is one.
    """
    modules = "modules.json"
    if encoder.path is not None:
        return
    has, needs = modules in encoder.behaviour().files, modules in card.behaviour.files
    if needs and not has:
        raise UsageError(
            "this card is of a sentence-transformers folder; a module in memory has neither its pooling "
            "nor its prompts",
            remedy="give the SentenceTransformer, or check the folder",
        )
    if has and not needs:
        raise UsageError(
            "this card is of a transformers model alone; a SentenceTransformer has a pooling and prompts "
            "of its own",
            remedy="give its model and tokenizer, or mint a card of the folder that it is saved to",
        )


LIBRARIES = ("pytest-sslauth", "torch", "transformers", "tokenizers", "numpy", "pillow")


OF_SOME = ("timm",)
"""Libraries that run some encoders. They are named where the process has imported them."""


def library_versions() -> dict[str, str]:
    """Versions of the libraries that take part in an embedding."""
    return dict(_versions(*LIBRARIES, *(name for name in OF_SOME if name in sys.modules)))


@cache
def _versions(*libraries: str) -> dict[str, str]:
    versions = {}
    for library in libraries:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def environment_of(device: str) -> dict[str, str]:
    """Versions, device and instruction set of a check, plain strings.

    Args:
        device: the one that it ran on.
    """
    return {
        **library_versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }
