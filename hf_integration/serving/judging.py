"""What answers of a deployment say about the encoder behind it.

| expected recipe | another recipe | status |
|---|---|---|
| fits | | authentic, as far as the floor of the recipe reaches |
| does not fit | fits | inconclusive: this is the encoder, computed in another way than was expected |
| does not fit | none fits | altered if the expected recipe was stated and answers are float32 or better |
| does not fit | none fits | else inconclusive, with the nearest recipe |
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import FEWEST_DIMENSIONS, Precision
from hf_integration.card import WatermarkCard
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.half_precision import like_half_precision
from hf_integration.serving.identifying import Match
from hf_integration.serving.long_texts import fits_but_for_long_texts
from hf_integration.serving.numeric import comparable, form_of
from hf_integration.serving.presets import noise_of
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.sources import Source
from hf_integration.serving.whole_numbers import what_is_open
from hf_integration.serving.yardstick import Measured, Yardstick
from hf_integration.verdict import Status

MOST_TRIED = 6
"""Recipes beside the expected one that are held against answers with a yardstick of their own."""

MOST_NOISE: Mapping[Precision, float] = {"float32": 1e-4, "float16": 4e-3, "bfloat16": 2.5e-2}
"""Largest relative distance of benign runs, before anything is rounded, with which a question can be
answered: where an encoder's own runs differ by more, another encoder's answers could pass for its own. Eight
times as much is tolerated."""

WIDE = 1e-4
"""Relative distance from which a verdict says how much may go unseen: an AdamW step at a learning rate of
1e-7 moves embeddings by as much."""

NEARER = 3.0
"""Times that answers may be nearer to a float32 recipe than to one in half precision that they fit as well.
An encoder in half precision is about as far from either, by its own rounding; an altered one in float32 is
not, nor is one that is served in float32."""

FINE = frozenset({"float32"})
"""Arithmetic in which an alteration cannot be taken for rounding."""

_FINENESS = ("float32", "float16", "bfloat16")

IN_A_BATCH = "what texts give alone is this encoder's, and what some of them give in a batch is not"


@dataclass(frozen=True, eq=False)
class Judged:
    """What came of one set of answers.

    Attributes:
        status: as of :class:`~hf_integration.verdict.Verdict`.
        reason: one sentence for people.
        expected: the recipe that was expected.
        found: the recipe that fits; ``None`` if none does.
        nearest: recipes by how near they come, the best first; empty if the expected one fits.
        reconstruction: the watermark under the expected recipe, or under the one that fits.
        card: the card of this one check that the reconstruction was made with.
        tolerated: relative distance that every answer may have at least under that recipe without being seen.
        unexplained: whether no recipe gives these answers; otherwise, what is inconclusive is open.
    """

    status: Status
    reason: str
    expected: Recipe
    found: Recipe | None
    nearest: tuple[Match, ...]
    reconstruction: Reconstruction
    card: WatermarkCard
    tolerated: float
    unexplained: bool = False


def judge_answers(
    source: Source,
    samples: KeySamples,
    answers: Tensor,
    *,
    again: Sequence[Tensor] = (),
    expected: Recipe | None = None,
    dimensions: int | None = None,
    noise: float = 0.0,
    measured: Measured | None = None,
    progress: Progress | None = None,
) -> Judged:
    """Hold answers of a deployment against a trusted copy or a card.

    Args:
        source: the copy or the card.
        samples: the key samples that were asked, all of them texts.
        answers: float64 ``(n, dim)`` in their order.
        again: the same with other answers to some of the texts, which have to fit as well.
        expected: the recipe that the caller states; by default that of the encoder itself, not stated.
        dimensions: how many the deployment was asked for, if it was.
        noise: relative distance that the stated recipe allows, see
            :func:`~hf_integration.serving.yardstick.yardstick`.
        measured: of these key samples under :func:`expected_recipe`, where that was computed already.
        progress: told how far it is: a search takes a while.
    """
    came, answers, again = answers, comparable(answers), [comparable(others) for others in again]
    if answers.shape[1] < source.description.embedding_dim and form_of(answers).exact:
        answers = F.normalize(answers, dim=1)  # some servers scale what they cut, and some do not
        again = [F.normalize(others, dim=1) for others in again]
    stated, recipe = expected is not None, expected_recipe(source, expected, dimensions)
    seed, texts = secrets.randbits(63), texts_of(samples)
    nearest: tuple[Match, ...] = ()
    watched = progress or Silent()
    watched.start("comparing answers", 1)
    measured = measured or source.measure(recipe, samples)
    if answers.shape[1] == measured.exact.shape[1]:
        held = measured.yardstick(recipe.form, noise=noise, seed=seed)
        found = held.held_against(answers)
        if reason := _too_little(held):
            return _judged("inconclusive", reason, recipe, None, (), held, found)
        if found.intact:
            nearest = _better(source, held, texts, answers, watched)
        if found.intact and not nearest:
            return _fitting(held, found, again, stated=stated, fine=form_of(answers).exact)
    else:
        held = measured.yardstick(recipe.form, seed=seed)
        found = held.held_against(torch.full_like(held.exact, torch.nan))  # all noise
    if reason := what_is_open(came, held.exact):
        return _judged("inconclusive", reason, recipe, None, (), held, found)
    if answers.shape[1] > (most := source.widest()):
        reason = (
            f"answers have {answers.shape[1]} dimensions, and the encoder's embeddings have {most}: "
            "another encoder answers"
        )
        status: Status = "altered" if stated else "inconclusive"
        return replace(_judged(status, reason, recipe, None, (), held, found), unexplained=True)
    nearest = nearest or source.identify(texts, answers, watched)
    return _otherwise(source, samples, answers, nearest, held, found, stated=stated, noise=noise, seed=seed)


def expected_recipe(source: Source, stated: Recipe | None, dimensions: int | None) -> Recipe:
    """What answers are expected to follow, without what the encoder does by itself.

    Args:
        source: the copy or the card.
        stated: the recipe that the caller states, if one.
        dimensions: how many the deployment is asked for, if it is.

    Raises:
        UsageError: a recipe that the source does not know.
    """
    recipe = source.simplified(stated or PLAIN)
    fewer = dimensions is not None and dimensions < source.description.embedding_dim
    return recipe.but(dimensions=dimensions) if fewer else recipe


def _otherwise(
    source: Source,
    samples: KeySamples,
    answers: Tensor,
    nearest: Sequence[Match],
    held: Yardstick,
    found: Reconstruction,
    *,
    stated: bool,
    noise: float,
    seed: int,
) -> Judged:
    """What comes of answers that do not fit as expected: another recipe's, or nobody's."""
    recipe = held.recipe
    for match in nearest[:MOST_TRIED]:
        if match.recipe == recipe:
            continue  # another seed might let pass at the edge what the first did not
        its_noise = noise_of(match.recipe, recipe, noise)
        other = _yardstick(source, match.recipe, samples, noise=its_noise, seed=seed)
        seen = other.held_against(answers)
        if not seen.intact or other.away > MOST_NOISE[match.recipe.arithmetic]:
            continue
        if match.recipe.arithmetic not in FINE and (
            match.typical > NEARER * nearest[0].typical
            or not like_half_precision(source, match.recipe, other.exact, texts_of(samples), answers)
        ):
            continue
        if match.recipe.arithmetic in (recipe.arithmetic, "float32"):
            ways = "; ".join((*recipe.differences(match.recipe), *_uncut(source, samples, match.recipe)))
            reason = f"this is the encoder, but not as expected: {ways}"
            return _judged("inconclusive", reason, recipe, match.recipe, nearest, other, seen)
        reason = (
            f"these may be the encoder's answers, {match.recipe}, or an altered encoder's: an alteration "
            f"that moves embeddings by up to {other.tolerated:.1e} of their length cannot be told from "
            "such arithmetic"
        )
        return _judged("inconclusive", reason, recipe, None, nearest, held, found)
    partly = fits_but_for_long_texts(
        source, samples, answers, recipe, nearest[:MOST_TRIED], noise=noise, seed=seed
    )
    if partly is not None and partly.held.away <= MOST_NOISE["float32"]:
        ways = "; ".join((*recipe.differences(partly.recipe), "longer texts are cut in an unknown way"))
        some = f"texts of up to {partly.limit} tokens"
        reason = f"{some} give this encoder's embeddings, but not as expected: {ways}"
        return _judged("inconclusive", reason, recipe, None, nearest, partly.held, partly.seen)
    reason = f"no known recipe gives these answers; the nearest, {nearest[0].recipe}, is {_far(nearest[0])}"
    status = _no_pass(recipe, stated=stated, fine=form_of(answers).exact)
    judged = _judged(status, f"{_few(held, answers)}{reason}", recipe, None, nearest, held, found)
    return replace(judged, unexplained=True)


def _uncut(source: Source, samples: KeySamples, recipe: Recipe) -> Iterator[str]:
    """That no text was so long that it had to be cut, and the length is the one that comes nearest."""
    longest = max(source.tokens(texts_of(samples)))
    if recipe.length is not None and longest <= recipe.length:
        yield f"or cut nowhere, as no answered text has more than {longest} tokens"


def _fitting(
    held: Yardstick, found: Reconstruction, again: Sequence[Tensor], *, stated: bool, fine: bool
) -> Judged:
    """What comes of answers that fit as expected: a pass if all that was asked again fits as well."""
    recipe = held.recipe
    for seen in map(held.held_against, again):
        if not seen.intact:
            status = _no_pass(recipe, stated=stated, fine=fine)
            return _judged(status, IN_A_BATCH, recipe, None, (), held, seen)
    return _judged("authentic", _fits(recipe, held.tolerated), recipe, recipe, (), held, found)


def _too_little(held: Yardstick) -> str | None:
    """Why answers of a recipe cannot be judged, whatever they are."""
    if held.exact.shape[1] < FEWEST_DIMENSIONS:
        return f"answers of {held.exact.shape[1]} dimensions are too few to tell encoders apart"
    if held.away > MOST_NOISE[held.recipe.arithmetic]:
        return (
            f"runs of the trusted copy itself differ by {held.away:.1e} of an embedding's length, which is "
            "too much to judge answers by"
        )
    return None


def _no_pass(recipe: Recipe, *, stated: bool, fine: bool) -> Status:
    """The status of answers that are another encoder's, if an alteration cannot be taken for rounding."""
    return "altered" if stated and fine and recipe.arithmetic in FINE else "inconclusive"


def _fits(recipe: Recipe, tolerated: float) -> str:
    said = f"the answers are this encoder's, computed as expected ({recipe})"
    if tolerated < WIDE:
        return said
    size = f"{tolerated:.1e} of their length"
    return f"{said}; an alteration that moves embeddings by up to {size} may go unnoticed"


def _better(
    source: Source, held: Yardstick, texts: Sequence[str], answers: Tensor, progress: Progress
) -> tuple[Match, ...]:
    """Recipes by how near they come, if another arithmetic than the expected one explains answers better."""
    recipe = held.recipe
    if recipe.arithmetic in FINE:
        return ()
    own = source.match(recipe.but(form=form_of(answers)), texts, answers)
    nearest = source.identify(texts, answers, progress)
    best = nearest[0]
    finer = _FINENESS.index(best.recipe.arithmetic) < _FINENESS.index(recipe.arithmetic)
    is_finer = finer and NEARER * best.typical < own.typical
    if is_finer or not like_half_precision(source, recipe, held.exact, texts, answers):
        return nearest
    return ()


def _few(held: Yardstick, answers: Tensor) -> str:
    """How many answers are further away than benign ones are, if most are not."""
    if answers.shape != held.exact.shape:
        return ""
    off = int((held.distances(answers) > held.tolerated).sum())
    if not 0 < off <= len(answers) // 2:
        return ""
    return f"{off} of {len(answers)} answers are not this encoder's, and the others are; "


def _far(match: Match) -> str:
    return f"{match.distance:.1e} away in the worst key sample and {match.typical:.1e} in a typical one"


def _judged(
    status: Status,
    reason: str,
    expected: Recipe,
    found: Recipe | None,
    nearest: Sequence[Match],
    held: Yardstick,
    reconstruction: Reconstruction,
) -> Judged:
    return Judged(status, reason, expected, found, tuple(nearest), reconstruction, held.card, held.tolerated)


def _yardstick(
    source: Source, recipe: Recipe, samples: KeySamples, *, noise: float = 0.0, seed: int
) -> Yardstick:
    return source.measure(recipe, samples).yardstick(recipe.form, noise=noise, seed=seed)
