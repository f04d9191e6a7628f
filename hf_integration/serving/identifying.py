"""Which recipe explains given answers: what a trusted copy would have to do to give them.

The search goes from what moves an embedding most to what moves it least: what the numbers themselves show
(width, length, rounding), then pooling and prompt, then weights and kernels, then where long texts are cut.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from hf_integration.base.errors import UsageError
from hf_integration.encoders.modalities.recipes import POOLS
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.computing import Computed, other_gelus, own_length, own_prompts, tokens_of
from hf_integration.serving.numeric import form_of
from hf_integration.serving.recipe import PLAIN, Recipe

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

FAR = 0.02
"""Relative distance from which pooling or prompt must be another: half precision moves less."""

LENGTH_ONE, LENGTH_ROUNDED = 1e-3, 0.1
"""How far the length of an embedding that was scaled may be from 1, and in an answer of few decimals."""


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


def identify(encoder: TorchEncoder, texts: Sequence[str], answers: Tensor) -> tuple[Match, ...]:
    """Recipes by how well they explain answers, the best first.

    Args:
        encoder: the trusted copy.
        texts: what was asked.
        answers: what came back, float64 ``(n, dim)``.

    Raises:
        UsageError: the answers are wider than the encoder's embeddings, so that they are of another encoder.
    """
    shown = shown_by_numbers(encoder, answers)
    tokens = tokens_of(encoder, texts)
    order = sorted(range(len(texts)), key=tokens.__getitem__)
    short = [place for place in order if tokens[place] <= min(LENGTHS)] or order[:FEW]
    longest = [place for place in order if tokens[place] > min(LENGTHS)][-LONGEST:]

    def best(recipes: Iterable[Recipe], places: Sequence[int]) -> list[Match]:
        some = [texts[place] for place in places]
        matches = [_match(encoder, recipe, some, answers[list(places)]) for recipe in dict.fromkeys(recipes)]
        return sorted(matches, key=lambda match: (match.typical, match.distance))

    coarse = best([shown], short[:FEW])
    if coarse[0].typical > FAR:
        coarse = best(_functions(encoder, shown), short[:FEW])[:2]
    fine = best((kernel for match in coarse for kernel in _kernels(encoder, match.recipe)), short[:MORE])
    # half arithmetic is far from every reference, its own as well, and would never come first
    half = [match for match in fine if match.recipe.arithmetic != "float32"]
    ranked = [match.recipe for match in (*fine[:3], *half[:1])]
    if longest:
        most = tokens[longest[-1]]
        lengths = [
            None,
            *(n for n in LENGTHS if n != own_length(encoder) and (n < most or n > own_length(encoder))),
        ]
        length = best((ranked[0].but(length=length) for length in lengths), longest)[0].recipe.length
        ranked = [recipe.but(length=length) for recipe in ranked]
    return tuple(best(ranked, [*short[:MORE], *longest]))


def shown_by_numbers(encoder: TorchEncoder, answers: Tensor) -> Recipe:
    """What answers show by themselves: how many dimensions, whether scaled to length 1, how rounded.

    Raises:
        UsageError: they are wider than the encoder's embeddings.
    """
    width, whole = answers.shape[1], encoder.description.embedding_dim
    if width > whole:
        raise UsageError(
            f"answers have {width} dimensions, and embeddings of '{encoder.name}' have {whole}",
            remedy="this is another encoder, or another pooling",
        )
    form = form_of(answers)
    away = (answers.norm(dim=1) - 1).abs().max()
    own = Computed(encoder, PLAIN).embed(["length"]).norm()
    is_scaled, scales = (
        bool(away < LENGTH_ONE or (away < 0.1 and not form.exact)),
        bool((own - 1).abs() < 1e-6),
    )
    return Recipe(
        form=form,
        normalised=None if is_scaled == scales or width < whole else is_scaled,
        dimensions=width if width < whole else None,
    )


def _functions(encoder: TorchEncoder, shown: Recipe) -> Iterator[Recipe]:
    prompts = dict.fromkeys([None, "", *own_prompts(encoder), *PROMPTS])
    for prompt, pooling, dense in itertools.product(prompts, (None, *POOLS), (True, False)):
        yield shown.but(prompt=prompt, pooling=pooling, dense=dense)


def _kernels(encoder: TorchEncoder, recipe: Recipe) -> Iterator[Recipe]:
    for gelu in (None, *other_gelus(encoder)):
        for weights in ("stored", "float16", "bfloat16", "gguf-f16", "gguf-f16-positions"):
            yield recipe.but(gelu=gelu, weights=weights)
        for arithmetic in ("float16", "bfloat16"):
            yield recipe.but(gelu=gelu, arithmetic=arithmetic)


def _match(encoder: TorchEncoder, recipe: Recipe, texts: Sequence[str], answers: Tensor) -> Match:
    exact = Computed(encoder, recipe).embed(texts, precision=recipe.arithmetic)
    if exact.shape != answers.shape:
        return Match(recipe, float("inf"), float("inf"))
    away = (answers - recipe.form.rounded(exact)).norm(dim=1) / exact.norm(dim=1).clamp(min=1e-12)
    return Match(recipe, float(away.max()), float(away.median()))
