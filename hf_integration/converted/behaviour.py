"""The second question to a converted encoder: does it compute what the trusted copy does under a recipe?

Fresh key samples go through it, each by itself. Float files and files of integer weights are held against
the trusted copy as an endpoint's answers are. Where activations are made integers as well, the smallest
difference moves an embedding as far as any alteration does; there the same conversion of the trusted weights
answers, and what counts is the share of key samples on which both agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import Precision
from hf_integration.benign.padding import padding_leaks
from hf_integration.card import WatermarkCard
from hf_integration.converted.runtime import Array, Converted
from hf_integration.converted.weights import Explained
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.identifying import Match
from hf_integration.serving.judging import judge_answers
from hf_integration.serving.presets import named, preset, presets
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.sources import CopySource
from hf_integration.serving.yardstick import yardstick
from hf_integration.verdict import Finding

INTEGERS = "int8"
"""What ``--serving`` says where weights are expected to be integers, by any rule that is known here."""

AGREE = 1e-5
"""Relative distance up to which two runs of integer activations did the same: repeats, other numbers of
threads and other releases of the runtime give 0, other graph levels jump in some key samples."""

SHARE = 0.5
"""Share of key samples that must agree: 0.69 to 0.81 was measured at another graph level, 0 if altered."""

FURTHER = 2.0
"""Times that any embedding may be further from the float encoder than the same conversion of the trusted
weights is in its worst key sample: MiniLM at another graph level is 0.99 times as far as that."""

BATCHED = 1e-3
"""Relative distance between a text alone and in a padded batch; float32 was measured at 1e-6."""


@dataclass(frozen=True)
class Expected:
    """What the caller says that a conversion did to the encoder.

    Attributes:
        recipe: the recipe; that of the encoder itself if none was stated.
        stated: whether it was.
        integers: whether weights are expected to be integers.
        noise: relative distance that the recipe allows.
    """

    recipe: Recipe = PLAIN
    stated: bool = False
    integers: bool = False
    noise: float = 0.0

    @classmethod
    def named(cls, name: str | None) -> "Expected":
        """What a name of ``--serving`` means.

        Raises:
            UsageError: nothing.
        """
        if name is None:
            return cls()
        if name == INTEGERS:
            return cls(stated=True, integers=True)
        if name not in presets():
            raise UsageError(
                f"no recipe is called {quoted(name)}", remedy=f"choose {INTEGERS}, {', '.join(presets())}"
            )
        found = preset(name)
        return cls(found.recipe, True, False, found.noise)


@dataclass(frozen=True, eq=False)
class Behaved:
    """What came of the second question.

    Attributes:
        finding: the answer.
        said: in one sentence.
        altered: whether the answers alone say that this is another encoder.
        expected: the recipe that was expected, in words.
        found: the one that fits, in words; ``None`` if none does.
        nearest: the recipes that come nearest, if the expected one does not fit.
        tolerated: relative distance that goes unseen.
        precision: arithmetic of the reference.
        run: key samples that were run.
        reconstruction: the watermark.
        card: of this one check.
    """

    finding: Finding
    said: str
    altered: bool
    expected: str
    found: str | None
    nearest: tuple[Match, ...]
    tolerated: float
    precision: Precision
    run: int
    reconstruction: Reconstruction
    card: WatermarkCard


def not_run(encoder: TorchEncoder, samples: KeySamples, expected: Expected, why: str) -> Behaved:
    """The answer where nothing could be run: the picture is noise."""
    held = yardstick(encoder, PLAIN, samples)
    seen = held.held_against(torch.full_like(held.exact, torch.nan))
    said = f"it was not run: {why}"
    words = _words(expected)
    return Behaved("open", said, False, words, None, (), 0.0, "float32", 0, seen, held.card)


def behaviour_of(
    encoder: TorchEncoder,
    converted: Converted,
    expected: Expected,
    samples: KeySamples,
    explained: Explained,
) -> Behaved:
    """Run key samples, and hold what comes against the trusted copy.

    Args:
        encoder: the trusted copy.
        converted: the converted encoder.
        expected: the recipe that the caller states.
        samples: fresh key samples.
        explained: what the file's arrays are.

    Raises:
        EncoderError: the runtime cannot run the file.
    """
    texts = texts_of(samples)
    alone = converted.embed(texts)
    answers = torch.from_numpy(np.ascontiguousarray(alone, dtype=np.float64))
    if converted.chaotic:
        return _agreeing(encoder, converted, expected, samples, answers, explained)
    reference = with_integers(encoder, explained.numbers) if explained.numbers else encoder
    judged = judge_answers(
        CopySource(reference),
        samples,
        answers,
        expected=expected.recipe if expected.stated or expected.recipe != PLAIN else None,
        noise=expected.noise,
    )
    finding: Finding = "fits" if judged.status == "authentic" else "differs" if judged.unexplained else "open"
    said = judged.reason.replace("the answers are", "its embeddings are").replace(
        "these answers", "its embeddings"
    )
    rounded = {name for name in explained.roundings if name != "stored"}
    altered = judged.status == "altered" and expected.stated
    if finding == "differs" and not altered and rounded:
        finding = "open"  # arithmetic in half precision may be further from its reference than it allows
    if finding == "fits" and bool(explained.numbers) != expected.integers:
        finding, said = "open", _not_as_expected(explained, expected)
    if finding == "fits" and (away := _batched(reference, converted, samples, alone)) > BATCHED:
        finding = "differs"
        said = f"texts in one batch give other embeddings than alone, up to {away:.1e} away"
    if finding == "fits" and (against := converted.contradicted(texts, alone)):
        finding, said = "open", against
    return Behaved(
        finding,
        said,
        altered,
        _words(expected),
        _found(judged.found, explained, encoder),
        judged.nearest,
        judged.tolerated,
        judged.expected.arithmetic,
        len(samples),
        judged.reconstruction,
        judged.card,
    )


def _not_as_expected(explained: Explained, expected: Expected) -> str:
    if expected.integers:
        return "this is the encoder, but not as expected: its weights are no integers"
    rules = ", ".join(name for name in explained.roundings if name != "stored")
    return (
        f"this is the encoder, but not as expected: weights made integers ({rules}); say {INTEGERS} for that"
    )


def _agreeing(
    encoder: TorchEncoder,
    converted: Converted,
    expected: Expected,
    samples: KeySamples,
    answers: Tensor,
    explained: Explained,
) -> Behaved:
    """The share of key samples in which the same conversion of the trusted weights does the same."""
    same = converted.reference(encoder, explained.roundings)
    if isinstance(same, str):
        return not_run(encoder, samples, expected, f"it makes integers of activations, and {same}")
    texts = texts_of(samples)
    exact = torch.from_numpy(np.ascontiguousarray(same.embed(texts), dtype=np.float64))
    held = yardstick(encoder, PLAIN, samples)
    if exact.shape != answers.shape:
        said, share = f"embeddings have {answers.shape[1]} dimensions instead of {exact.shape[1]}", 0.0
    else:
        share = float((_apart(answers, exact) <= AGREE).double().mean())
        said = f"it agrees with the same conversion of the trusted weights in {share:.0%} of key samples"
    finding: Finding = "fits" if share >= SHARE else "open"
    if finding == "fits" and (strays := _strays(answers, exact, held.exact)):
        finding = "differs"
        said = f"{said}, and {strays} are further away than making integers moves any"
    elif finding == "fits" and (against := converted.contradicted(texts, answers.numpy())):
        finding, said = "open", against
    elif finding == "fits" and not expected.integers:
        finding = "open"
        said = f"this is the encoder, but not as expected: made integers; say {INTEGERS} for that; {said}"
    elif finding == "open":
        said += "; by answers alone, an alteration cannot be told from another processor or exporter"
    agrees = share >= SHARE and finding != "differs"
    # what agrees gives the picture of the exact embeddings, and what does not gives noise
    agreed = torch.where(
        torch.full((len(exact), 1), agrees), held.exact, torch.full_like(held.exact, torch.nan)
    )
    return Behaved(
        finding,
        said,
        False,
        _words(expected),
        "weights and activations made integers" if agrees else None,
        (),
        1.0,
        "float32",
        len(samples),
        held.held_against(agreed),
        held.card,
    )


def _strays(answers: Tensor, converted: Tensor, exact: Tensor) -> int:
    """How many embeddings are further from the exact ones than the same conversion explains.

    Args:
        answers: of the file, ``(n, dim)``.
        converted: of the same conversion of the trusted weights.
        exact: of the trusted copy in float32.
    """
    return int((_apart(answers, exact) > FURTHER * _apart(converted, exact).max()).sum())


def _apart(rows: Tensor, others: Tensor) -> Tensor:
    """Distances of rows from others, relative to these, ``(n,)``."""
    away: Tensor = (rows - others).norm(dim=1) / others.norm(dim=1).clamp(min=1e-12)
    return away


def with_integers(encoder: TorchEncoder, numbers: Mapping[str, Array]) -> TorchEncoder:
    """The trusted copy with what integers mean in the place of its weights."""
    copy = encoder.duplicate()
    own = copy.tensors()
    with torch.no_grad():
        for name, array in numbers.items():
            if name in own:
                own[name].copy_(torch.from_numpy(np.ascontiguousarray(array)).reshape(own[name].shape))
    return copy


def _batched(encoder: TorchEncoder, converted: Converted, samples: KeySamples, alone: Array) -> float:
    """Largest relative distance between texts alone and in one batch; 0 if padding matters to the encoder."""
    if padding_leaks(encoder, samples, seed=0):
        return 0.0
    few = slice(0, 8)
    together = converted.embed(texts_of(samples)[few], together=True)
    sizes = np.linalg.norm(alone[few], axis=1).clip(min=1e-12)
    return float((np.linalg.norm(together - alone[few], axis=1) / sizes).max())


def _words(expected: Expected) -> str:
    if expected.integers:
        return f"{INTEGERS}: weights made integers"
    known = named(expected.recipe)
    return str(expected.recipe) if known is None else f"{known.name}: {expected.recipe}"


def _found(recipe: Recipe | None, explained: Explained, encoder: TorchEncoder) -> str | None:
    if recipe is None:
        return None
    rules = [name for name in explained.roundings if name not in ("stored", "float16", "bfloat16")]
    if explained.numbers and rules:
        return f"weights made integers: {', '.join(rules)}"
    known = named(recipe, encoder)
    return str(recipe) if known is None or not recipe.form.exact else f"{known.name}: {recipe}"
