"""Pooling and width by what a model gave for one sample, where nothing else says them or one is chosen."""

import dataclasses
from typing import Any

from torch import Tensor, nn

from hf_integration.base.vocabulary import Modality
from hf_integration.encoders.modalities.recipes import (
    NEVER_READ,
    POOLER,
    POOLS,
    Recipe,
    hidden_state,
    output_named,
)


class UnsupportedError(Exception):
    """No encoder of one kind of raw sample, with the reason in words."""


def observed_recipe(recipe: Recipe, modality: Modality, module: nn.Module, output: Any) -> Recipe:
    """Pooling and width by what a model gave for one sample; those that are known are left as they are.

    Args:
        recipe: as its family made it.
        modality: kind of raw sample.
        module: the model.
        output: what it gave.

    Raises:
        UnsupportedError: there is no vector and no state per position in it.
    """
    if recipe.width:
        return recipe
    if recipe.method != "forward":
        words = f"the model's {modality} features"
        return _with_vector(recipe, output, "pooler_output", words)
    if _is_vector(getattr(output, f"{modality}_embeds", None)):
        return _with_vector(recipe, output, f"{modality}_embeds", f"the model's {modality} embedding")
    if POOLER not in recipe.inert and _is_vector(getattr(output, "pooler_output", None)):
        pooler = getattr(module, "pooler", None)
        learned = isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters())
        words = "pooler" if learned else "the model's own pooling"
        return _with_vector(recipe, output, "pooler_output", words)
    states = getattr(output, "last_hidden_state", None)
    if not isinstance(states, Tensor) or states.ndim not in (3, 4):
        raise UnsupportedError("it gives no state per position (last_hidden_state) and no embedding")
    inert = (*recipe.inert, POOLER)
    if states.ndim == 4:
        return dataclasses.replace(
            recipe, pooling="mean over the map", width=states.shape[1], head=_mean_over_map, inert=inert
        )
    names = {name.rpartition(".")[2] for name, _ in module.named_parameters()}
    token = modality == "image" and not names.isdisjoint(_CLASS_TOKENS)
    positions = {"text": "the mask", "image": "the patches", "audio": "the frames"}[modality]
    return dataclasses.replace(
        recipe,
        pooling="class token" if token else f"mean over {positions}",
        width=states.shape[2],
        head=_first_state if token else _mean_over_states,
        inert=inert,
    )


def chosen_recipe(recipe: Recipe, name: str, output: Any) -> Recipe:
    """The recipe with another pooling than that of its family.

    Args:
        recipe: as its family made it.
        name: one of :data:`~hf_integration.base.vocabulary.POOLINGS`.
        output: what the model gave for one sample.

    Raises:
        UnsupportedError: there is nothing in it that is so pooled.
    """
    if name == "pooler":
        return dataclasses.replace(_with_vector(recipe, output, "pooler_output", name), inert=NEVER_READ)
    states = getattr(output, "last_hidden_state", None)
    if not isinstance(states, Tensor) or states.ndim not in (3, 4):
        raise UnsupportedError("it gives no state per position (last_hidden_state)")

    def head(output: Any, mask: Tensor | None) -> Tensor:
        states = output.last_hidden_state
        states = states.flatten(2).transpose(1, 2) if states.ndim == 4 else states
        return POOLS[name](states, mask if mask is not None and mask.shape[1] == states.shape[1] else None)

    width = states.shape[2] if states.ndim == 3 else states.shape[1]
    inert = (*NEVER_READ, POOLER)
    return dataclasses.replace(recipe, pooling=f"{name} over the mask", width=width, head=head, inert=inert)


_CLASS_TOKENS = frozenset({"cls_token", "class_token", "class_embedding"})


def _is_vector(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim >= 2 and value.flatten(1).shape[1] == value.shape[1]


def _with_vector(recipe: Recipe, output: Any, name: str, words: str) -> Recipe:
    value: Any = getattr(output, name, None)
    if not _is_vector(value):
        raise UnsupportedError(f"it gives no vector ({name})")
    return dataclasses.replace(recipe, pooling=words, width=value.shape[1], head=output_named(name))


def _mean_over_map(output: Any, _mask: Tensor | None) -> Tensor:
    return hidden_state(output.last_hidden_state, None)


def _mean_over_states(output: Any, mask: Tensor | None) -> Tensor:
    return hidden_state(output.last_hidden_state, mask)


def _first_state(output: Any, _mask: Tensor | None) -> Tensor:
    return POOLS["cls"](output.last_hidden_state, None)
