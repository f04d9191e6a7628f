"""Answers that fit but for all texts that are cut: some runtimes cut in ways of their own.

transformers.js, for one, cuts off the token that ends a text as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from hf_integration.authentication.reconstruction import Reconstruction
from hf_integration.base.vocabulary import FEWEST_KEYS
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.identifying import Match
from hf_integration.serving.presets import noise_of
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import Recipe
from hf_integration.serving.sources import Source
from hf_integration.serving.yardstick import Measured, Yardstick

FEWEST_CUT = 2
"""Long texts that have to differ, all of them, before another way of cutting explains it."""

FAR = 1e-4
"""Relative distance of a typical answer from which it is not by its cut that a recipe is wrong, unless its
runtimes are noisier."""


@dataclass(frozen=True, eq=False)
class Partly:
    """What short texts fit.

    Attributes:
        recipe: the recipe.
        limit: tokens of the longest that fit.
        held: the yardstick of the short ones.
        seen: the watermark as they reproduce it.
    """

    recipe: Recipe
    limit: int
    held: Yardstick
    seen: Reconstruction


def fits_but_for_long_texts(
    source: Source,
    samples: KeySamples,
    answers: Tensor,
    expected: Recipe,
    nearest: Sequence[Match],
    *,
    noise: float,
    seed: int,
) -> Partly | None:
    """The recipe that all short texts fit, while no long one fits any; ``None`` if there is none.

    Args:
        source: what answers are held against.
        samples: the key samples that were asked.
        answers: float64 ``(n, dim)`` in their order.
        expected: what was expected.
        nearest: recipes that come near.
        noise: of the expected recipe's runtimes.
        seed: of sketches and generator.
    """
    texts = texts_of(samples)
    tokens = source.tokens(texts)
    exact = [
        match.recipe
        for match in nearest
        if match.recipe.arithmetic == "float32"
        and match.typical <= max(FAR, 2 * noise_of(match.recipe, expected, noise))
    ]
    # by the cut that comes nearest, and by the expected one: where none is right, the nearest is by chance
    tried = list(dict.fromkeys([*exact, *(recipe.but(length=expected.length) for recipe in exact)]))

    @cache
    def measured(recipe: Recipe) -> Measured:
        return source.measure(recipe, samples)

    def yardstick(recipe: Recipe, some: KeySamples) -> Yardstick:
        its_noise = noise_of(recipe, expected, noise)
        return measured(recipe).of(some).yardstick(recipe.form, noise=its_noise, seed=seed)

    def fits_nowhere(places: Sequence[int]) -> bool:
        off = [whole.distances(answers) > whole.tolerated for whole in (yardstick(r, samples) for r in tried)]
        return bool(torch.stack(off)[:, list(places)].all())

    for recipe in tried:
        limit = recipe.length or source.length
        short = [place for place, count in enumerate(tokens) if count <= limit]
        long = [place for place, count in enumerate(tokens) if count > limit]
        if len(short) < FEWEST_KEYS or len(long) < FEWEST_CUT:
            continue
        held = yardstick(recipe, KeySamples([texts[place] for place in short], origin=samples.origin))
        seen = held.held_against(answers[short])
        # whoever cuts in a way of his own does so with every long text
        if seen.intact and fits_nowhere(long):
            return Partly(recipe, limit, held, seen)
    return None
