"""How an architecture's outputs become one embedding: the part that its model card describes in words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from hf_integration.encoders import pooling
from hf_integration.encoders.preparation import Batch

Mask = Callable[[nn.Module, Batch], Tensor | None]
Head = Callable[[Any, Tensor | None], Tensor]


def no_mask(_module: nn.Module, _batch: Batch) -> None:
    """Every position is real."""


def attention_mask(_module: nn.Module, batch: Batch) -> Tensor | None:
    """The tokenizer's mask, if it makes one."""
    return batch.inputs.get("attention_mask")


def pooled_states(pool: pooling.Pool) -> Head:
    """Pool ``last_hidden_state`` over its real positions."""
    return lambda output, mask: pool(output.last_hidden_state, mask)


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
        config_part: attribute of the configuration that is this encoder's; empty for all of it.
        counted: prefixes of the tensors that belong to this encoder.
        inert: patterns of tensors that cannot influence the embedding.
    """

    pooling: str
    width: int
    head: Head
    mask: Mask = no_mask
    method: str = "forward"
    layer_word: str = "layer"
    config_part: str = ""
    counted: tuple[str, ...] = ("",)
    inert: tuple[str, ...] = field(default=NEVER_READ)

    def configuration(self, module: nn.Module) -> Any:
        """The part of the module's configuration that this encoder obeys, or ``None``."""
        config = getattr(module, "config", None)
        return getattr(config, self.config_part) if self.config_part else config
