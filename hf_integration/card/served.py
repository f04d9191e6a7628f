"""What a card says of deployments: what the encoder answers to the key samples, recipe by recipe.

A recipe is a deployment's way with an encoder, such as another formula for GELU. A card holds it as plain
values; what they mean is checked by :mod:`hf_integration.serving`, which uses them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hf_integration.card.schema import ServedRecord
from hf_integration.card.tensor_file import TensorForm


@dataclass(frozen=True, eq=False)
class Answers:
    """What deployments of one recipe answer.

    Attributes:
        names: presets that give these, whatever else they are called.
        recipe: plain values, as :meth:`hf_integration.serving.recipe.Recipe.to_dict` gives them.
        noise: largest relative distance of a benign run.
        floor: smallest noise on all weights, in standard deviations, that shows in float32 answers; ``None``
            where not even the largest that was tried did.
        embeddings: float32 tensor with shape ``(keys, width)``, before they are written as numbers.
    """

    names: tuple[str, ...]
    recipe: Mapping[str, Any]
    noise: float
    floor: float | None
    embeddings: Tensor


@dataclass(frozen=True, eq=False)
class Served:
    """What deployments answer, and what has to be known to ask them.

    Attributes:
        length: tokens at which the encoder itself cuts a text.
        tokens: of each key sample, wherever it would be cut.
        answers: one for each recipe.
    """

    length: int
    tokens: tuple[int, ...]
    answers: tuple[Answers, ...]


def _name(place: int) -> str:
    return f"served.{place}"


def served_forms(record: ServedRecord | None, keys: int) -> dict[str, TensorForm]:
    """The tensors that such a record asks for."""
    return {
        _name(place): TensorForm(torch.float32, (keys, answers.width))
        for place, answers in enumerate(record.recipes if record else ())
    }


def pack_served(served: Served | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What ``card.json`` says of it, nothing of a card without it, and the tensors."""
    if served is None:
        return {}, {}
    recipes = [
        {
            "names": list(answers.names),
            "recipe": dict(sorted(answers.recipe.items())),
            "noise": answers.noise,
            "floor": answers.floor,
            "width": answers.embeddings.shape[1],
        }
        for answers in served.answers
    ]
    said = {"length": served.length, "tokens": list(served.tokens), "recipes": recipes}
    tensors = {_name(place): answers.embeddings.float() for place, answers in enumerate(served.answers)}
    return {"served": said}, tensors


def unpack_served(record: ServedRecord | None, tensors: Mapping[str, Tensor]) -> Served | None:
    """The inverse of :func:`pack_served`."""
    if record is None:
        return None
    answers = (
        Answers(tuple(said.names), said.recipe, said.noise, said.floor, tensors[_name(place)].clone())
        for place, said in enumerate(record.recipes)
    )
    return Served(record.length, tuple(record.tokens), tuple(answers))
