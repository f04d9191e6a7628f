"""Why embeddings differ: the recipes that come near given ones, each with a yardstick of its own."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.identifying import Match, identify
from hf_integration.serving.judging import MOST_NOISE
from hf_integration.serving.numeric import comparable
from hf_integration.serving.presets import named
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN
from hf_integration.serving.yardstick import yardstick


@dataclass(frozen=True)
class Explanation:
    """One recipe, and how well it explains answers.

    Attributes:
        match: the recipe with its distances.
        preset: name of the recipe, if it has one.
        deviation: how far the worst answer is, in units of the tolerated distance: 1 is the edge.
        fits: whether nothing but the noise of benign runs is left.
    """

    match: Match
    preset: str | None
    deviation: float
    fits: bool

    @property
    def words(self) -> str:
        """The recipe for people: its name, and what it does."""
        said = str(self.match.recipe)
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


def explain(encoder: TorchEncoder, samples: KeySamples, answers: Tensor) -> tuple[Explanation, ...]:
    """Say how a trusted copy would have to be computed to give these answers.

    Args:
        encoder: the trusted copy.
        samples: what was embedded, all of them texts.
        answers: float64 ``(n, dim)`` in their order.

    Returns:
        Recipes: those that fit first, then by how near they come.

    Raises:
        UsageError: the answers are wider than any recipe gives.
    """
    answers = comparable(answers)
    matches = identify(encoder, texts_of(samples), answers)
    found = [
        _explained(encoder, samples, answers, match) for match in matches if math.isfinite(match.distance)
    ]
    return tuple(sorted(found, key=lambda explanation: not explanation.fits))


def _explained(encoder: TorchEncoder, samples: KeySamples, answers: Tensor, match: Match) -> Explanation:
    known = named(match.recipe, encoder)
    held = yardstick(encoder, match.recipe, samples, noise=known.noise if known else 0.0)
    strip = held.held_against(answers).strips[0]
    fits = strip.intact and held.away <= MOST_NOISE[match.recipe.arithmetic]
    name = None if known is None or match.recipe.form != PLAIN.form else known.name
    return Explanation(match, name, strip.deviation, fits)
