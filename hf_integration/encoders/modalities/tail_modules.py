"""What may follow the pooling of a sentence encoder: a dense layer, and scaling to length 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    name: kind
    for kind in (nn.Tanh, nn.Identity, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid)
    for name in (f"torch.nn.{kind.__name__}", f"{kind.__module__}.{kind.__name__}")
}


class Normalize(nn.Module):
    """Scale an embedding to length 1."""

    def forward(self, embedding: Tensor) -> Tensor:
        """``(batch, dim)`` to ``(batch, dim)``."""
        return F.normalize(embedding, dim=-1)

    def __str__(self) -> str:
        return "normalised"


class Truncate(nn.Module):
    """Keep the first dimensions of an embedding, without scaling it anew, as sentence-transformers does.

    Args:
        width: how many; all of an embedding that has fewer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, embedding: Tensor) -> Tensor:
        """``(batch, dim)`` to ``(batch, width)``."""
        return embedding[:, : self.width]

    def __str__(self) -> str:
        return f"truncated to {self.width}"


class Dense(nn.Module):
    """A linear layer with an activation behind the pooling.

    Args:
        in_features: width of what comes in.
        out_features: width of the embedding behind it.
        bias: whether the layer has a bias.
        activation: what follows the linear layer.
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool, activation: nn.Module) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=bias)
        self.activation = activation
        self.in_features, self.out_features = in_features, out_features

    def forward(self, embedding: Tensor) -> Tensor:
        """``(batch, in_features)`` to ``(batch, out_features)`` in float64, computed in the layer's dtype."""
        result: Tensor = self.activation(self.linear(embedding.to(self.linear.weight.dtype)))
        return result.double()

    def __str__(self) -> str:
        return f"dense to {self.out_features}"


@dataclass(frozen=True)
class DenseSpec:
    """Settings of one dense module: its folder and the arguments of :class:`Dense`."""

    folder: Path
    in_features: int
    out_features: int
    bias: bool
    activation: str

    def build(self) -> Dense:
        """The layer, its weights not yet loaded."""
        return Dense(
            self.in_features, self.out_features, bias=self.bias, activation=ACTIVATIONS[self.activation]()
        )
