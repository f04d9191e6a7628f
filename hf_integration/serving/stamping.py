"""Stamping an encoder: what it gives for a few texts, and what it would give under likely other recipes."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np

from hf_integration.base.errors import InconclusiveError
from hf_integration.base.progress import Progress
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.computing import (
    CannotComputeError,
    Computed,
    has_dense,
    other_gelus,
    own_length,
    own_prompts,
    simplified,
    tokens_of,
)
from hf_integration.serving.identifying import LENGTHS, PROMPTS
from hf_integration.serving.judging import MOST_NOISE
from hf_integration.serving.presets import Preset
from hf_integration.serving.recipe import PLAIN, Recipe, ServedWeights
from hf_integration.serving.yardstick import measure
from hf_integration.stamps.forms import Array, in_float32
from hf_integration.stamps.stamp import WITNESSES, Other, Stamp, projected, unit
from hf_integration.stamps.texts import LONG, key_texts
from hf_integration.watermark.calibration import SAFETY

MOST_PROMPTS = 64
"""Of an encoder's own: some have hundreds, and a stamp holds 128 recipes at most."""

TWICE = 2.0
"""Times its own distance that half precision may be away: runtimes round differently."""


def make_stamp(
    encoder: TorchEncoder,
    *,
    progress: Progress,
    serving: Preset | None = None,
    card: str | None = None,
    seed: int | None = None,
) -> Stamp:
    """Stamp an encoder.

    Args:
        encoder: the one that the index is made with; it takes texts.
        progress: told how far it is.
        serving: what is done to it, if that is something else than what it does by itself.
        card: digest of its watermark card, if there is one.
        seed: the texts follow from it; by default one that nobody knows.

    Raises:
        InconclusiveError: the encoder's own runs differ so much that a stamp would tell nothing.
    """
    texts = key_texts(seed=seed)
    recipe = simplified(encoder, PLAIN if serving is None else serving.recipe)
    tokens = max(tokens_of(encoder, texts))
    candidates = [other for other in _others(encoder, recipe, tokens) if other != recipe]
    progress.start("stamping", len(candidates) + 1)
    measured = measure(encoder, recipe, KeySamples(list(texts), origin="of a stamp"))
    exact = in_float32(measured.exact.numpy())
    noise = max(float(_apart(exact, exact + run.numpy()).max()) for run in measured.away)
    if noise > MOST_NOISE[recipe.arithmetic]:
        raise InconclusiveError(
            f"runs of '{encoder.name}' itself differ by {noise:.1e}, so that a stamp would tell nothing"
        )
    stated = 0.0 if serving is None else serving.noise
    tolerance = max(SAFETY * noise, TWICE * stated)
    progress.advance()
    others: list[Other] = []
    for other in candidates:
        _add(others, encoder, texts, exact, recipe, other, tolerance)
        progress.advance()
    return Stamp(
        encoder=encoder.repo or Path(encoder.name).name,  # it is public, and a path says too much
        commit=encoder.commit,
        card=card,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=str(recipe),
        form=str(recipe.form),
        tolerance=tolerance,
        texts=texts,
        long=len(LONG),
        embeddings=exact,
        others=tuple(others),
    )


def _add(
    others: list[Other],
    encoder: TorchEncoder,
    texts: Sequence[str],
    exact: Array,
    recipe: Recipe,
    other: Recipe,
    tolerance: float,
) -> None:
    """Add what a recipe gives, unless it gives what is there already."""
    long = other.length != recipe.length
    places = slice(len(texts) - len(LONG), len(texts)) if long else slice(0, WITNESSES)
    try:
        given = Computed(encoder, other).embed(texts[places], precision=other.arithmetic).numpy()
    except CannotComputeError:  # then no server can either
        return
    own = exact[places]
    same_width = given.shape[1] == own.shape[1]
    if other.arithmetic != "float32" and same_width:
        tolerance = TWICE * float(_apart(own, given).max())
    if same_width and _apart(own, given).max() <= tolerance and other.arithmetic == "float32":
        return  # what the encoder does by itself
    numbers = projected(given)
    if other.arithmetic == "float32" and any(
        known.long == long
        and known.width == given.shape[1]
        and np.linalg.norm(known.numbers - numbers, axis=1).max() <= tolerance
        for known in others
    ):
        return
    says = "; ".join(recipe.differences(other))
    others.append(Other(says, long, given.shape[1], min(tolerance, 0.5), numbers))


def _others(encoder: TorchEncoder, recipe: Recipe, tokens: int) -> Iterator[Recipe]:
    """Likely other recipes, the plainest first: one thing is another, or what servers do together."""
    for pooling in POOLS:
        yield recipe.but(pooling=pooling)
    for prompt in dict.fromkeys(["", *own_prompts(encoder)[:MOST_PROMPTS], *PROMPTS]):
        yield recipe.but(prompt=prompt)
    if has_dense(encoder):
        yield recipe.but(dense=not recipe.dense)
    gelus = (None, *other_gelus(encoder))
    for weights, gelu in itertools.product(get_args(ServedWeights), gelus):
        yield recipe.but(gelu=gelu, weights=weights, arithmetic="float32")
    for arithmetic, gelu in itertools.product(("float16", "bfloat16"), gelus):
        yield recipe.but(gelu=gelu, weights="stored", arithmetic=arithmetic)
    for length in LENGTHS:
        if length != own_length(encoder) and (length < tokens or length > own_length(encoder)):
            yield recipe.but(length=length)


def _apart(one: Array, other: Array) -> Array:
    """Distances of directions, ``(n,)``."""
    return np.asarray(np.linalg.norm(unit(one) - unit(other), axis=1))
