"""The second question to a converted encoder: does it compute what the original does under a recipe?

Key samples go through it, each by itself. Float files and files of integer weights are held against a trusted
copy or a card as an endpoint's answers are. Where activations are made integers as well, the smallest
difference moves an embedding as far as any alteration does; there the same conversion of the trusted weights
answers, here or at minting, and what counts is the share of key samples on which both agree.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import Precision
from hf_integration.card import WatermarkCard
from hf_integration.converted.knowledge import Knowledge
from hf_integration.converted.runtime import Array, Converted
from hf_integration.converted.weights import Explained
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.identifying import Match
from hf_integration.serving.judging import judge_answers
from hf_integration.serving.presets import named, preset, presets
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.sources import Source
from hf_integration.serving.yardstick import Yardstick
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


def not_run(knowledge: Knowledge, samples: KeySamples, expected: Expected, why: str) -> Behaved:
    """The answer where nothing could be run: the picture is noise."""
    held = _own(knowledge, samples)
    seen = held.held_against(torch.full_like(held.exact, torch.nan))
    said = f"it was not run: {why}"
    words = _words(expected)
    return Behaved("open", said, False, words, None, (), 0.0, "float32", 0, seen, held.card)


def _own(knowledge: Knowledge, samples: KeySamples) -> Yardstick:
    """What the encoder itself gives."""
    return knowledge.source.measure(PLAIN, samples).yardstick(PLAIN.form)


def behaviour_of(
    knowledge: Knowledge,
    converted: Converted,
    expected: Expected,
    samples: KeySamples,
    explained: Explained,
) -> Behaved:
    """Run key samples, and hold what comes against a trusted copy or a card.

    Args:
        knowledge: the copy or the card.
        converted: the converted encoder.
        expected: the recipe that the caller states.
        samples: the key samples.
        explained: what the file's arrays are.

    Raises:
        EncoderError: the runtime cannot run the file.
        UsageError: a recipe was stated that a card has no answers of.
    """
    texts = texts_of(samples)
    source = knowledge.with_integers(explained) if explained.numbers else knowledge.source
    if isinstance(source, str) and not converted.chaotic:
        return not_run(knowledge, samples, expected, source)
    alone = converted.embed(texts)
    answers = torch.from_numpy(np.ascontiguousarray(alone, dtype=np.float64))
    if converted.chaotic or isinstance(source, str):
        return _agreeing(knowledge, converted, expected, samples, answers, explained)
    judged = judge_answers(
        source,
        samples,
        answers,
        expected=expected.recipe if expected.stated or expected.recipe != PLAIN else None,
        noise=expected.noise,
    )
    against = judged.unexplained and (knowledge.complete or expected.stated)
    finding: Finding = "fits" if judged.status == "authentic" else "differs" if against else "open"
    said = judged.reason.replace("the answers are", "its embeddings are").replace(
        "these answers", "its embeddings"
    )
    rounded = {name for name in explained.roundings if name != "stored"}
    altered = judged.status == "altered" and expected.stated
    if finding == "differs" and not altered and rounded:
        finding = "open"  # arithmetic in half precision may be further from its reference than it allows
    if finding == "fits" and bool(explained.numbers) != expected.integers:
        finding, said = "open", _not_as_expected(explained, expected)
    if finding == "fits" and (away := _batched(knowledge, converted, samples, alone)) > BATCHED:
        finding = "differs"
        said = f"texts in one batch give other embeddings than alone, up to {away:.1e} away"
    if finding == "fits" and (against_it := converted.contradicted(texts, alone)):
        finding, said = "open", against_it
    return Behaved(
        finding,
        said,
        altered,
        _words(expected),
        _found(judged.found, explained, source),
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
    knowledge: Knowledge,
    converted: Converted,
    expected: Expected,
    samples: KeySamples,
    answers: Tensor,
    explained: Explained,
) -> Behaved:
    """The share of key samples in which the same conversion of the trusted weights does the same."""
    texts = texts_of(samples)
    same = knowledge.same_conversion(converted, explained, texts)
    if isinstance(same, str):
        return not_run(knowledge, samples, expected, f"it makes integers of activations, and {same}")
    exact = torch.from_numpy(np.ascontiguousarray(same, dtype=np.float64))
    held = _own(knowledge, samples)
    if exact.shape != answers.shape:
        said, share = f"embeddings have {answers.shape[1]} dimensions instead of {exact.shape[1]}", 0.0
    else:
        share = float((_apart(answers, exact) <= AGREE).double().mean())
        said = f"it agrees with the same conversion of the trusted weights in {share:.0%} of key samples"
    finding: Finding = "fits" if share >= SHARE else "open"
    strays = _strays(answers, exact, held.exact) if finding == "fits" else 0
    if strays:
        # of another processor's run, as a card holds, it is not known how far away it may be
        finding = "differs" if knowledge.complete else "open"
        said = f"{said}, and {strays} are further away than making integers moves any"
    elif finding == "fits" and (against := converted.contradicted(texts, answers.numpy())):
        finding, said = "open", against
    elif finding == "fits" and not expected.integers:
        finding = "open"
        said = f"this is the encoder, but not as expected: made integers; say {INTEGERS} for that; {said}"
    elif finding == "open":
        said += "; by answers alone, an alteration cannot be told from another processor or exporter"
    agrees = share >= SHARE and not strays
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


def _batched(knowledge: Knowledge, converted: Converted, samples: KeySamples, alone: Array) -> float:
    """Largest relative distance between texts alone and in one batch; 0 if padding matters to the encoder."""
    if knowledge.padding_leaks(samples):
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


def _found(recipe: Recipe | None, explained: Explained, source: Source) -> str | None:
    if recipe is None:
        return None
    rules = [name for name in explained.roundings if name not in ("stored", "float16", "bfloat16")]
    if explained.numbers and rules:
        return f"weights made integers: {', '.join(rules)}"
    known = source.named(recipe)
    return str(recipe) if known is None or not recipe.form.exact else f"{known.name}: {recipe}"
