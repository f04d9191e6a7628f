"""Recipes: how the hidden states of an encoder become one embedding, and the poolings they are made of."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hf_integration.encoders.modalities.preparation import Batch

Pool = Callable[[Tensor, Tensor | None], Tensor]
"""From many positions to one vector per sample.

Takes ``states`` with shape ``(batch, positions, dim)`` and ``mask`` with shape ``(batch, positions)``,
non-zero where a position is real (``None``: all are), and gives a float64 tensor with shape ``(batch, dim)``.
The conversion to float64 comes first: summing in the encoder's own precision would add noise that belongs to
the pooling and not to the encoder.
"""


def _weights(states: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return torch.ones(states.shape[:2], dtype=torch.float64, device=states.device)
    return mask.to(device=states.device, dtype=torch.float64)


def _weighted_sum(states: Tensor, weights: Tensor) -> Tensor:
    # A matrix product with the mask: no masked copy of the states is made.
    return torch.bmm(weights.unsqueeze(1), states.double()).squeeze(1)


def mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the real positions."""
    weights = _weights(states, mask)
    return _weighted_sum(states, weights) / weights.sum(1, keepdim=True).clamp(min=1e-9)


def mean_sqrt_len(states: Tensor, mask: Tensor | None) -> Tensor:
    """Sum over the real positions, divided by the square root of their number."""
    weights = _weights(states, mask)
    return _weighted_sum(states, weights) / weights.sum(1, keepdim=True).clamp(min=1e-9).sqrt()


def weighted_mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the real positions, position 1 weighted 1, position 2 weighted 2, and so on.

    Positions are those of the text, of which a prompt at its beginning may be left out; padding is behind it.
    """
    keep = _weights(states, mask)
    weights = keep * torch.arange(1, keep.shape[1] + 1, dtype=keep.dtype, device=keep.device)
    return _weighted_sum(states, weights) / weights.sum(1, keepdim=True).clamp(min=1e-9)


def maximum(states: Tensor, mask: Tensor | None) -> Tensor:
    """Largest value over the real positions, dimension by dimension."""
    keep = _weights(states, mask).bool().unsqueeze(2)
    return states.double().masked_fill(~keep, float("-inf")).amax(1)


def first(states: Tensor, mask: Tensor | None) -> Tensor:
    """The first real position, where BERT-like models put their class token."""
    if mask is None:
        return states[:, 0].double()
    index = mask.to(states.device).int().argmax(1)
    return states[torch.arange(len(states), device=states.device), index].double()


def last(states: Tensor, mask: Tensor | None) -> Tensor:
    """The last real position, which has seen all others in a causal model."""
    if mask is None:
        return states[:, -1].double()
    index = states.shape[1] - 1 - mask.to(states.device).flip(1).int().argmax(1)
    return states[torch.arange(len(states), device=states.device), index].double()


def hidden_state(states: Tensor, mask: Tensor | None) -> Tensor:
    """Pool one hidden state of any rank: feature maps ``(batch, C, H, W)`` over H and W, tokens by mean.

    A mask that does not fit the positions (a state before merging or striding) is ignored: all count.
    """
    if states.ndim == 4:
        return states.double().mean((2, 3))
    if states.ndim == 2:
        return states.double()
    return mean(states, mask if mask is not None and mask.shape[1] == states.shape[1] else None)


OVER_THE_MASK = " over the mask"
"""What ends the words of a pooling that could as well be another one of ``POOLS``."""

POOLS: Mapping[str, Pool] = {
    "cls": first,
    "max": maximum,
    "mean": mean,
    "mean_sqrt_len_tokens": mean_sqrt_len,
    "weightedmean": weighted_mean,
    "lasttoken": last,
}

Mask = Callable[[nn.Module, Batch], Tensor | None]
Head = Callable[[Any, Tensor | None], Tensor]


def no_mask(_module: nn.Module, _batch: Batch) -> None:
    """Every position is real."""


def attention_mask(_module: nn.Module, batch: Batch) -> Tensor | None:
    """The tokenizer's mask, if it makes one."""
    return batch.inputs.get("attention_mask")


def pooled_states(pool: str) -> Head:
    """Pool ``last_hidden_state`` over its real positions, by one of ``POOLS``."""
    return lambda output, mask: POOLS[pool](output.last_hidden_state, mask)


def output_named(name: str) -> Head:
    """Take a vector that the model itself computes; ``(batch, C, 1, 1)`` is flattened."""
    return lambda output, _mask: getattr(output, name).flatten(1).double()


# Read only in training, on masked inputs, or as position counters: they cannot reach an embedding.
NEVER_READ = (
    r"(^|\.)num_batches_tracked$",
    r"(^|\.)position_ids$",
    r"(^|\.)masked_spec_embed$",
    r"(^|\.)embeddings\.mask_token$",
)
POOLER = r"^pooler\."


@dataclass(frozen=True)
class Recipe:
    """From raw model outputs to strips and embedding.

    Attributes:
        pooling: the recipe in words, e.g. ``mean over the mask``.
        width: dimensions of the embedding before any module that follows.
        head: model output and mask -> float64 tensor ``(batch, width)``.
        mask: module and batch -> mask over the positions of the hidden states, or ``None``.
        method: the module's method to call.
        layer_word: what a hidden state is called: ``layer`` or ``stage``.
        first_state: number of the first of them: 0 for the input embedding, 1 where that is not among them.
        config_part: attribute of the configuration that is this encoder's; empty for all of it.
        counted: prefixes of the tensors that belong to this encoder.
        inert: patterns of tensors that cannot influence the embedding.
        scores: whether the embedding is scores, whose size counts.
        also: module and batch -> what the model is given besides.
        alone: keys of the configuration that this encoder has by itself, whatever it is a part of.
    """

    pooling: str
    width: int
    head: Head
    mask: Mask = no_mask
    method: str = "forward"
    layer_word: str = "layer"
    first_state: int = 0
    config_part: str = ""
    counted: tuple[str, ...] = ("",)
    inert: tuple[str, ...] = field(default=NEVER_READ)
    scores: bool = False
    also: Callable[[nn.Module, Batch], Mapping[str, Tensor]] = lambda _module, _batch: {}
    alone: Mapping[str, Any] = field(default_factory=dict)

    def counts(self, name: str) -> bool:
        """Whether a tensor of this name can influence the embedding."""
        return name.startswith(self.counted) and not any(re.search(pattern, name) for pattern in self.inert)

    def configuration(self, module: nn.Module) -> Any:
        """The part of the module's configuration that this encoder obeys, or ``None``."""
        config = getattr(module, "config", None)
        config = getattr(config, self.config_part) if self.config_part else config
        if self.alone:
            config = copy.deepcopy(config)
            for key, value in self.alone.items():
                setattr(config, key, value)
        return config


def sentence_recipe(
    config: Any, modes: tuple[str, ...], left_out: int = 0, *, width: int | None = None
) -> Recipe:
    """Pooling modes of a sentence encoder, concatenated.

    Args:
        config: a transformers configuration.
        modes: names in ``POOLS``.
        left_out: tokens at the beginning of every text that are not pooled: those of a prompt.
        width: dimensions of a token's vector, where they are not the model's.
    """

    def head(output: Any, mask: Tensor | None) -> Tensor:
        states = output.last_hidden_state
        if states.ndim == 4:  # a map of features: its places are the tokens
            states, mask = states.flatten(2).transpose(1, 2), None
        if left_out:
            mask = torch.ones(states.shape[:2], device=states.device) if mask is None else mask.clone()
            mask[:, :left_out] = 0
        total = getattr(output, "weights_sum", None)
        if total is None:
            return torch.cat([POOLS[mode](states, mask) for mode in modes], dim=1)
        return torch.cat([_pooled_by(mode, states, mask, total) for mode in modes], dim=1)

    return Recipe(
        f"{' + '.join(modes)}{OVER_THE_MASK}",
        (config.hidden_size if width is None else width) * len(modes),
        head,
        mask=attention_mask,
        inert=(*NEVER_READ, POOLER),
    )


def _pooled_by(mode: str, states: Tensor, mask: Tensor | None, total: Tensor) -> Tensor:
    """Pool vectors that were weighted: a mean divides by the sum of the weights, ``(batch,)``."""
    weights = _weights(states, mask)
    if mode == "weightedmean":
        weights = weights * torch.arange(1, weights.shape[1] + 1, dtype=weights.dtype, device=weights.device)
    elif mode not in ("mean", "mean_sqrt_len_tokens"):
        return POOLS[mode](states, mask)
    divisor = total.double().unsqueeze(1).clamp(min=1e-9)
    return _weighted_sum(states, weights) / (divisor.sqrt() if mode == "mean_sqrt_len_tokens" else divisor)
