"""Modules between the transformers model and the pooling of a sentence encoder: they work on every token."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from hf_integration.base.errors import EncoderError


@dataclass(frozen=True)
class Tokens:
    """What is known of the tokens of a batch behind the model.

    Attributes:
        last_hidden_state: one vector per token, ``(batch, positions, dim)``.
        mask: non-zero where a position is a token, ``(batch, positions)``; ``None`` where all are.
        input_ids: token numbers, ``(batch, positions)``.
        hidden_states: the same vectors behind each layer of the model, the input embedding first.
        weights_sum: what a mean divides by where tokens were weighted, ``(batch,)``.
    """

    last_hidden_state: Tensor
    mask: Tensor | None
    input_ids: Tensor
    hidden_states: Sequence[Tensor] = ()
    weights_sum: Tensor | None = None

    def of(self, states: Tensor) -> "Tokens":
        """The same tokens with other vectors."""
        return replace(self, last_hidden_state=states)


class TokenModule(nn.Module):
    """A module that needs more of the tokens than their vectors."""

    def forward(self, tokens: Tokens) -> Tokens:
        """The tokens as they are behind it."""
        raise NotImplementedError


class WordWeights(TokenModule):
    """Multiply the vector of every token by a weight of the token.

    Args:
        weights: one for each token number.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.emb_layer = nn.Embedding(len(weights), 1, _weight=torch.tensor(weights).unsqueeze(1))

    def forward(self, tokens: Tokens) -> Tokens:
        """Weighted vectors in float64, and the sum of the weights of each text, its prompt's included."""
        weights = self.emb_layer(tokens.input_ids).squeeze(-1).double()
        if tokens.mask is not None:
            weights = weights * tokens.mask
        weighted = tokens.last_hidden_state.double() * weights.unsqueeze(-1)
        return replace(tokens, last_hidden_state=weighted, weights_sum=weights.sum(1))

    def __str__(self) -> str:
        return "weighted by token"


class WeightedLayerPooling(TokenModule):
    """The mean over the layers of the model, each with a weight of its own.

    Args:
        layers: layers of the model, without its input embedding.
        start: the first layer that counts, 0 for the input embedding.
    """

    def __init__(self, layers: int, start: int) -> None:
        super().__init__()
        self.start = start
        self.layer_weights = nn.Parameter(torch.ones(layers + 1 - start))

    def forward(self, tokens: Tokens) -> Tokens:
        """Weighted means in float64.

        Raises:
            EncoderError: the model has another number of layers.
        """
        states = tokens.hidden_states[self.start :]
        if len(states) != len(self.layer_weights):
            raise EncoderError(
                f"WeightedLayerPooling weighs {len(self.layer_weights)} layers, the model has {len(states)}",
                remedy="use an intact copy of the encoder",
            )
        weights = self.layer_weights.double()
        total = torch.stack([weight * state.double() for weight, state in zip(weights, states, strict=True)])
        return tokens.of(total.sum(0) / weights.sum())

    def __str__(self) -> str:
        return f"mean over weighted layers from {self.start}"
