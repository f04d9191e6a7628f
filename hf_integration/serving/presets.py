"""Recipes with names: what known servers and runtimes do, one file each in the folder ``presets``."""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from operator import attrgetter

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import simplified
from hf_integration.serving.numeric import Form
from hf_integration.serving.recipe import PLAIN, Recipe, read_recipe


@dataclass(frozen=True)
class Preset:
    """A recipe with a name.

    Attributes:
        name: what callers and ``sslauth.toml`` say.
        title: which servers and runtimes do so, for people.
        source: what it rests on.
        recipe: the recipe.
        noise: relative distance at which real runtimes of it were found, where that is more than torch's own.
        own_tokenizer: whether its runtimes read texts by a tokenizer of their own, which reads other scripts
            than ASCII differently: llama.cpp was found to do so with Korean and Hindi.
    """

    name: str
    title: str
    source: str
    recipe: Recipe
    noise: float = 0.0
    own_tokenizer: bool = False


@cache
def presets() -> dict[str, Preset]:
    """All of them by name, in alphabetical order."""
    found = {}
    folder = files(__package__).joinpath("presets")
    for file in sorted(folder.iterdir(), key=lambda file: file.name.split(".")):
        name, ending = file.name.rsplit(".", 1)
        if ending == "toml":
            said = tomllib.loads(file.read_text(encoding="utf-8"))
            recipe = read_recipe(said.get("recipe", {}), where=file.name)
            found[name] = Preset(
                name,
                said["title"],
                said["source"],
                recipe,
                said.get("noise", 0.0),
                said.get("own_tokenizer", False),
            )
    return found


def preset(text: str) -> Preset:
    """The preset of a name, whose answers may be rounded: ``tei``, ``torch,decimals:4``.

    Raises:
        UsageError: there is none of that name, or no such numeric form.
    """
    name, comma, form = text.partition(",")
    if comma:
        plain = preset(name)
        written = Form.read(form, where=f"recipe {quoted(text)}")
        scaled = plain.recipe.normalised if written.has_lengths else True
        return replace(plain, name=text, recipe=plain.recipe.but(form=written, normalised=scaled))
    if name not in presets():
        raise UsageError(
            f"no recipe is called {quoted(name)}", remedy=f"choose one of {', '.join(presets())}"
        )
    return presets()[name]


def named(recipe: Recipe, encoder: TorchEncoder | None = None) -> Preset | None:
    """The preset of a recipe, whatever its answers are rounded to, that with the least noise; or ``None``.

    Args:
        recipe: the recipe.
        encoder: an encoder for which a preset counts that gives the same answers: scaling to length 1 changes
            nothing where an encoder does so by itself.
    """
    bare = recipe.but(form=PLAIN.form)
    alike = [found for found in presets().values() if found.recipe == bare]
    if encoder is not None:
        alike += [found for found in presets().values() if simplified(encoder, found.recipe) == bare]
    return min(alike, key=lambda found: found.noise, default=None)


def least_noise(recipe: Recipe) -> float:
    """How noisy the runtimes are that compute a recipe, by the least noisy preset with the same kernels.

    llama.cpp's noise on a CPU would excuse any small alteration, unless it was stated.
    """
    alike = (found for found in presets().values() if same_kernels(found.recipe, recipe))
    return min((found.noise for found in alike), default=0.0)


def noise_of(recipe: Recipe, expected: Recipe, noise: float) -> float:
    """How noisy the runtimes of a recipe are: as stated for the same kernels, else as little as is known.

    Args:
        recipe: the recipe.
        expected: the recipe that was expected.
        noise: what was stated of that one's runtimes.
    """
    return noise if same_kernels(recipe, expected) else least_noise(recipe)


def same_kernels(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes compute hidden states alike, whatever else they do with texts and states."""
    kernels = attrgetter("gelu", "weights", "arithmetic")
    return bool(kernels(one) == kernels(other))
