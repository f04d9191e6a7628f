"""Which recipe explains given answers: what a trusted copy would have to do to give them.

The search goes from what moves an embedding most to what moves it least: what the numbers themselves show
(width, length, rounding), then pooling and prompt, then weights and kernels, then where long texts are cut.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from torch import Tensor
from torch.nn import functional as F

from hf_integration.base.errors import UsageError
from hf_integration.base.progress import Progress, Silent
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import (
    CannotComputeError,
    Computed,
    Kernels,
    has_dense,
    most_tokens,
    other_gelus,
    own_length,
    own_prompts,
    tokens_of,
    widest,
)
from hf_integration.serving.numeric import form_of
from hf_integration.serving.recipe import PLAIN, Recipe, ServedWeights
from hf_integration.stamps.likeness import FAR

PROMPTS = (
    "query: ",
    "passage: ",
    "search_query: ",
    "search_document: ",
    "Represent this sentence for searching relevant passages: ",
)
"""Of E5, nomic-embed and BGE: what servers are configured with, whatever the encoder."""

LENGTHS = (32, 64, 128, 256, 384, 512, 1024, 2048, 4096, 8192)
"""Tokens at which servers cut."""

FEW, MORE, LONGEST = 8, 16, 4
"""Texts that the coarse and the fine part of the search look at, and those that the search for a cut does."""

LENGTH_ONE = 1e-3
"""How far the length of an embedding that was scaled may be from 1, where rounding allows no more."""

FINELY = 1e-5
"""Distances that no half precision comes down to: answers as near as that were computed in float32."""

SAME = 1e-7
"""Distances up to which float32 tells nothing apart."""


@dataclass(frozen=True)
class Match:
    """A recipe, and how far answers are from it.

    Attributes:
        recipe: the recipe.
        distance: largest relative distance of an answer to what the recipe gives.
        typical: the median of these distances, which a few texts that are read differently do not move.
    """

    recipe: Recipe
    distance: float
    typical: float


def identify(
    encoder: TorchEncoder, texts: Sequence[str], answers: Tensor, progress: Progress | None = None
) -> tuple[Match, ...]:
    """Recipes by how well they explain answers, the best first.

    Args:
        encoder: the trusted copy.
        texts: what was asked.
        answers: what came back, float64 ``(n, dim)``.
        progress: told how many recipes are tried.

    Raises:
        UsageError: the answers are wider than the encoder's embeddings, so that they are of another encoder.
    """
    shown = shown_by_numbers(encoder, answers)
    tokens = tokens_of(encoder, texts)
    order = sorted(range(len(texts)), key=tokens.__getitem__)
    uncut = [place for place in order if tokens[place] <= min(LENGTHS)]
    short = uncut or order[:FEW]
    longest = [place for place in order if tokens[place] > min(LENGTHS)][-LONGEST:]

    kernels, watched = Kernels(encoder), progress or Silent()
    jump = _jump(shown, answers)

    def tried(recipe: Recipe, some: Sequence[str], given: Tensor) -> Match:
        watched.advance()
        return _match(Computed(encoder, recipe, kernels), some, given)

    def best(what: str, recipes: Iterable[Recipe], places: Sequence[int]) -> list[Match]:
        some = [texts[place] for place in places]
        # those of one kernel one after another, as only the latest is kept
        apart = sorted(dict.fromkeys(recipes), key=lambda recipe: (recipe.weights, recipe.gelu or ""))
        watched.start(f"searching: {what}", len(apart))
        matches = [tried(recipe, some, answers[list(places)]) for recipe in apart]
        # those that are the same function for these texts are said once, by the plainest
        alike: dict[tuple[float, float], Match] = {}
        for match in sorted(matches, key=lambda match: rank(match, jump)):
            alike.setdefault(rank(match, jump)[:2], match)
        return list(alike.values())

    def cut(recipe: Recipe, places: Sequence[int]) -> Recipe:
        lengths = _lengths(encoder, tokens[order[-1]])
        matches = best("where texts are cut", (recipe.but(length=length) for length in lengths), places)
        return min(matches, key=lambda match: rank(match, jump)[1:]).recipe

    coarse = best("as the encoder itself", [shown], short[:FEW])
    if coarse[0].typical > FAR:
        # a cut that no text escapes looks like another pooling
        starts = [shown] if uncut else [shown, cut(shown, short[:FEW])]
        functions = (recipe for start in starts for recipe in (start, *_functions(encoder, start)))
        coarse = best("pooling and prompt", functions, short[:FEW])[:2]
    computed = (kernel for match in coarse for kernel in _kernels(encoder, match.recipe))
    fine = best("weights and arithmetic", computed, short[:MORE])
    # half arithmetic is far from every reference, its own as well, and would never come first
    half = {match.recipe.arithmetic: match for match in reversed(fine) if fine[0].typical > FINELY}
    ranked = list(dict.fromkeys(match.recipe for match in (*fine[:3], *half.values())))
    if longest:
        length = cut(ranked[0], longest).length
        ranked = [recipe.but(length=length) for recipe in ranked]
    return tuple(best("the nearest, with long texts", ranked, [*short[:MORE], *longest]))


def as_compared(recipe: Recipe, answers: Tensor) -> Tensor:
    """Answers as they are held against a recipe: some servers scale again what they cut, and some do not."""
    cut = recipe.dimensions is not None and recipe.form.exact
    return F.normalize(answers, dim=1) if cut else answers


def shown_by_numbers(encoder: TorchEncoder, answers: Tensor) -> Recipe:
    """What answers show by themselves: how many dimensions, whether scaled to length 1, how rounded.

    Raises:
        UsageError: they are wider than any embedding of the encoder.
    """
    form, width, most = form_of(answers), answers.shape[1], widest(encoder)
    if width > most:
        raise UsageError(
            f"answers have {width} dimensions, and embeddings of '{encoder.name}' have {most}",
            remedy="this is another encoder, or another pooling",
        )
    ways = (
        PLAIN.but(dense=dense, dimensions=dimensions)
        for dense, dimensions in itertools.product((True, False), (None, width))
    )
    way = next(way for way in ways if Computed(encoder, way).width == width)
    # rounding moves a length by half its steps at most
    tolerances = (form.steps(answers).norm(dim=1) / 2).clamp(min=LENGTH_ONE)
    is_scaled = bool(((answers.norm(dim=1) - 1).abs() <= tolerances).all())
    scales = bool((Computed(encoder, way).embed(["length"]).norm() - 1).abs() < 1e-6)
    return way.but(form=form, normalised=None if is_scaled == scales or way.dimensions else is_scaled)


def _functions(encoder: TorchEncoder, shown: Recipe) -> Iterator[Recipe]:
    prompts = dict.fromkeys([None, "", *own_prompts(encoder), *PROMPTS])
    layers = (True, False) if shown.dense and has_dense(encoder) else (shown.dense,)
    for prompt, pooling, dense in itertools.product(prompts, (None, *POOLS), layers):
        yield shown.but(prompt=prompt, pooling=pooling, dense=dense)


def _lengths(encoder: TorchEncoder, most: int) -> list[int | None]:
    """Cuts that can show in texts of so many tokens at most; of those that cut alike, the shortest."""
    room = min(most, most_tokens(encoder))
    kept = {min(length, room): length for length in reversed(LENGTHS)}
    own = min(own_length(encoder), room)
    return [None, *(length for cut, length in sorted(kept.items()) if cut != own)]


def _kernels(encoder: TorchEncoder, recipe: Recipe) -> Iterator[Recipe]:
    for gelu in (None, *other_gelus(encoder)):
        for weights in get_args(ServedWeights):
            yield recipe.but(gelu=gelu, weights=weights)
        for arithmetic in ("float16", "bfloat16"):
            yield recipe.but(gelu=gelu, arithmetic=arithmetic)


def match_of(encoder: TorchEncoder, recipe: Recipe, texts: Sequence[str], answers: Tensor) -> Match:
    """How far answers are from one recipe.

    Args:
        encoder: the trusted copy.
        recipe: the recipe.
        texts: what was asked.
        answers: what came back, float64 ``(n, dim)``.
    """
    return _match(Computed(encoder, recipe), texts, answers)


def _match(computed: Computed, texts: Sequence[str], answers: Tensor) -> Match:
    recipe = computed.recipe
    if computed.width != answers.shape[1]:
        return Match(recipe, float("inf"), float("inf"))
    try:
        exact = computed.embed(texts, precision=recipe.arithmetic)
    except CannotComputeError:  # then no server can either
        return Match(recipe, float("inf"), float("inf"))
    return match_with(recipe, exact, answers)


def match_with(recipe: Recipe, exact: Tensor, answers: Tensor) -> Match:
    """How far answers are from what a recipe gives.

    Args:
        recipe: the recipe.
        exact: what it gives before it is rounded, float64 ``(n, dim)``.
        answers: what came back, of the same shape.
    """
    away = (as_compared(recipe, answers) - recipe.form.rounded(exact)).norm(dim=1)
    away = (away / exact.norm(dim=1).clamp(min=1e-12)).nan_to_num(nan=float("inf"), posinf=float("inf"))
    return Match(recipe, float(away.max()), float(away.median()))


def rank(match: Match, jump: float = 0.0) -> tuple[float, float, int]:
    """The nearest first, and of those that are the same function for these texts the plainest.

    Args:
        match: a recipe with its distances.
        jump: relative distance at which one number of an answer is rounded the other way: what is nearer is
            the same for all that the answers show.
    """
    plain = len(PLAIN.differences(match.recipe))
    return _coarse(match.typical, jump), _coarse(match.distance, jump), plain


def _jump(shown: Recipe, answers: Tensor) -> float:
    """Largest relative distance at which one number of an answer is rounded the other way."""
    jumps = shown.form.steps(answers).amax(dim=1) / answers.norm(dim=1).clamp(min=1e-12)
    return float(jumps.nan_to_num(nan=0.0, posinf=0.0).max())


def _coarse(distance: float, jump: float) -> float:
    """A distance to three digits, and to what rounding tells apart, in float32 or coarser."""
    return float(f"{max(distance, SAME, jump * 1.01):.2e}")
