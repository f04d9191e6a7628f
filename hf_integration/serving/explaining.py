"""Why embeddings differ: the recipes that come near given ones, each with a yardstick of its own."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from hf_integration.base.progress import Progress
from hf_integration.base.vocabulary import FEWEST_KEYS
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import own_length, simplified, tokens_of
from hf_integration.serving.half_precision import like_half_precision
from hf_integration.serving.identifying import Match, as_compared, identify
from hf_integration.serving.judging import FINE, MOST_NOISE, NEARER
from hf_integration.serving.numeric import comparable
from hf_integration.serving.presets import Preset, least_noise, named, presets, same_kernels
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.sources import CopySource
from hf_integration.serving.yardstick import measure

ALIKE = 1.05
"""Times that one recipe may be further from answers than another and still be as likely, where a runtime's
noise is larger than what is between them."""


@dataclass(frozen=True)
class Explanation:
    """One recipe, and how well it explains answers.

    Attributes:
        match: the recipe with its distances.
        preset: name of the recipe, if it has one.
        deviation: how far the worst answer is, in units of the tolerated distance: 1 is the edge.
        fits: whether nothing but the noise of benign runs is left.
        but: which texts it does not explain, or what noise is left, in words; empty if there is neither.
    """

    match: Match
    preset: str | None
    deviation: float
    fits: bool
    but: str = ""

    @property
    def words(self) -> str:
        """The recipe for people: its name, and what it does."""
        said = "; ".join(filter(None, (str(self.match.recipe), self.but)))
        return said if self.preset is None else f"{self.preset}: {said}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "preset": self.preset,
            "recipe": self.match.recipe.to_dict(),
            "words": self.words,
            "fits": self.fits,
            "deviation": self.deviation,
            "distance": self.match.distance,
            "typical": self.match.typical,
        }


def explain(
    encoder: TorchEncoder, samples: KeySamples, answers: Tensor, progress: Progress | None = None
) -> tuple[Explanation, ...]:
    """Say how a trusted copy would have to be computed to give these answers.

    Args:
        encoder: the trusted copy.
        samples: what was embedded, all of them texts.
        answers: float64 ``(n, dim)`` in their order.
        progress: told how many recipes are tried.

    Returns:
        Recipes: those that fit first, then by how near they come. None is much further than one that fits.

    Raises:
        UsageError: the answers are wider than any recipe gives.
    """
    answers = comparable(answers)
    matches = identify(encoder, texts_of(samples), answers, progress)
    found: list[Explanation] = []
    for match in matches:
        # what is much further than a recipe that fits explains nothing, and half precision would fit as well
        moot = match.typical > NEARER * matches[0].typical and any(nearer.fits for nearer in found)
        if math.isfinite(match.distance) and not moot:
            nearest = match.typical <= ALIKE * matches[0].typical
            found.append(_explained(encoder, samples, answers, match, nearest=nearest))
    return tuple(sorted(found, key=lambda explanation: not explanation.fits))


def _explained(
    encoder: TorchEncoder, samples: KeySamples, answers: Tensor, match: Match, *, nearest: bool
) -> Explanation:
    """The first way in which a recipe explains the answers, or how far it is from all of them."""
    recipe, answers = match.recipe, as_compared(match.recipe, answers)
    measured, known = measure(encoder, recipe, samples), named(recipe, encoder)
    name = None if known is None or recipe.form != PLAIN.form else known.name
    found: list[Explanation] = []
    for noise, runtime in [(least_noise(recipe), None), *(_noisier(recipe) if nearest else ())]:
        for places, but in _ways(encoder, recipe, samples, runtime):
            some = measured.of(KeySamples([samples[place] for place in places], origin=samples.origin))
            held = some.yardstick(recipe.form, noise=noise)
            strip = held.held_against(answers[places]).strips[0]
            fits = strip.intact and held.away <= MOST_NOISE[recipe.arithmetic]
            if fits and recipe.arithmetic not in FINE:
                asked = [texts_of(samples)[place] for place in places]
                fits = like_half_precision(CopySource(encoder), recipe, held.exact, asked, answers[places])
            said = name if runtime is None or not fits else _name(runtime, recipe, encoder)
            found.append(Explanation(match, said, strip.deviation, fits, but))
            if fits:
                return found[-1]
    if recipe.length is not None and recipe.arithmetic in FINE:
        # where no cut is right, the nearest is so by chance
        without = replace(match, recipe=recipe.but(length=None))
        other = _explained(encoder, samples, answers, without, nearest=nearest)
        if other.fits:
            return other
    return found[0]


def _name(runtime: Preset, recipe: Recipe, encoder: TorchEncoder) -> str | None:
    """The name of a runtime, if a recipe is all that it does, wherever it cuts texts."""
    return runtime.name if simplified(encoder, runtime.recipe) == recipe.but(length=None) else None


def _noisier(recipe: Recipe) -> list[tuple[float, Preset]]:
    """Runtimes that compute a recipe with more noise than others do.

    Their noise excuses an alteration of its size. It counts only for what is as near as the nearest recipe.
    """
    alike = [known for known in presets().values() if same_kernels(known.recipe, recipe)]
    return [(known.noise, known) for known in alike if known.noise > least_noise(recipe)]


def _ways(
    encoder: TorchEncoder, recipe: Recipe, samples: KeySamples, runtime: Preset | None
) -> Iterator[tuple[list[int], str]]:
    """Places of texts that are looked at, and what is said of the others and of a noisy runtime."""
    texts = texts_of(samples)
    noise = "" if runtime is None else f"what is left is no more than the noise of {runtime.name}"
    yield list(range(len(texts))), noise
    if recipe.arithmetic not in FINE:
        return
    limit = recipe.length or own_length(encoder)
    short = [place for place, count in enumerate(tokens_of(encoder, texts)) if count <= limit]
    ways = {"longer texts are cut in an unknown way": short}
    if runtime is not None and runtime.own_tokenizer:
        plain = [place for place, text in enumerate(texts) if text.isascii()]
        ways["texts in other scripts than ASCII are read by a tokenizer of its own"] = plain
    for said, places in ways.items():
        if FEWEST_KEYS <= len(places) < len(texts):
            yield places, "; ".join(filter(None, (said, noise)))
