"""Minting what deployments answer into a card, for those who check endpoints and cannot hold the weights."""

from bisect import bisect_left
from collections.abc import Sequence

from torch import Tensor

from hf_integration.base.errors import UsageError
from hf_integration.base.progress import Progress
from hf_integration.card import Answers, Served
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import Computed, own_length, simplified, tokens_of, writes_weights
from hf_integration.serving.presets import Preset, preset, presets
from hf_integration.serving.probes import texts_of
from hf_integration.serving.recipe import PLAIN, Recipe
from hf_integration.serving.yardstick import TOGETHER, Known, Measured, measure, measured_already
from hf_integration.tampering.weights.values import add_noise

USUAL = ("torch",)
"""Recipes of every text card."""

FEW = 32
"""Most key samples that benign runs are made of, and that a floor is looked for with: the first, as the last
are long. Fewer where other benign runs of a slow encoder are of fewer."""

MAGNITUDES = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Noise on all weights, in standard deviations of each tensor, that a floor is looked for among."""


def chosen_recipes(names: Sequence[str]) -> tuple[Preset, ...]:
    """The presets that a card is to have references of, those of every card among them.

    Raises:
        UsageError: there is none of that name, or it rounds its answers, which a check does by itself.
    """
    found = tuple(preset(name) for name in dict.fromkeys((*USUAL, *names)))
    for each in found:
        if not each.recipe.form.exact:
            raise UsageError(
                f"--recipe {each.name}: a card holds answers before they are rounded",
                remedy=f"give {each.name.partition(',')[0]}",
            )
    return found


def serve(
    encoder: Encoder,
    samples: KeySamples,
    recipes: Sequence[Preset],
    *,
    seed: int,
    known: Known | None = None,
    progress: Progress,
) -> Served | None:
    """What deployments of an encoder answer to the key samples of its card.

    Args:
        encoder: as it was loaded.
        samples: the key samples.
        recipes: what deployments do.
        seed: of the card.
        known: runs of the encoder on these key samples, which spare those of a recipe that only embeds.
        progress: told how far it is.

    Returns:
        ``None`` for encoders of images and recordings, which no endpoint is asked yet.

    Raises:
        UsageError: recipes beyond the usual for such an encoder, or one that it cannot be run by.
    """
    if not isinstance(encoder, TorchEncoder) or encoder.modality != "text":
        if others := [each.name for each in recipes if each.name not in USUAL]:
            raise UsageError(
                f"--recipe {others[0]} is for text encoders, and this one takes {encoder.modality}",
                remedy="leave it out",
            )
        return None
    every = {each.name: simplified(encoder, each.recipe) for each in presets().values()}
    wanted = dict.fromkeys(every[each.name] for each in recipes)
    few = FEW if known is None else min(FEW, len(known.benign[0]))
    progress.start("answers of deployments", len(wanted))
    answers = []
    for recipe in wanted:
        names = tuple(name for name, other in every.items() if other == recipe)
        if known is not None and recipe == PLAIN:
            measured = measured_already(encoder, recipe, samples, known)
        else:
            measured = measure(encoder, recipe, samples, some=slice(few), together=TOGETHER)
        floor = _floor(encoder, measured, few, names, seed)
        answers.append(Answers(names, recipe.to_dict(), measured.size, floor, measured.exact.float()))
        progress.advance()
    return Served(own_length(encoder), tuple(tokens_of(encoder, texts_of(samples))), tuple(answers))


def _floor(
    encoder: TorchEncoder, measured: Measured, few: int, names: Sequence[str], seed: int
) -> float | None:
    """Size of the smallest noise that shows in answers in float32, if any does; more of it shows as well."""
    noise = min(presets()[name].noise for name in names)
    # more of them notice no less
    measured = measured.of(KeySamples(measured.samples[:few], origin=measured.samples.origin))
    held = measured.yardstick(measured.recipe.form, noise=noise, seed=seed)

    def shows(magnitude: float) -> bool:
        copy = encoder.duplicate() if writes_weights(measured.recipe) else encoder.added_on_use()
        add_noise(copy, magnitude, seed)
        return not held.held_against(_answered(copy, measured.recipe, measured.samples)).intact

    place = bisect_left(MAGNITUDES, True, key=shows)
    return MAGNITUDES[place] if place < len(MAGNITUDES) else None


def _answered(encoder: TorchEncoder, recipe: Recipe, samples: KeySamples) -> Tensor:
    answers = Computed(encoder, recipe).embed(texts_of(samples), precision=recipe.arithmetic)
    return answers.float().double()
