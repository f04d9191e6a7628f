"""Modules on vectors, of an embedding or of each token: dense layers, norms, scaling, cuts, activations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

_KINDS: tuple[type[nn.Module], ...] = (
    nn.Tanh,
    nn.Identity,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Softplus,
    nn.Softsign,
    nn.Hardtanh,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Tanhshrink,
)
ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    name: kind
    for kind in _KINDS
    for name in (f"torch.nn.{kind.__name__}", f"{kind.__module__}.{kind.__name__}")
}
"""Activations without weights and without chance, by the names that the library writes."""


class Normalize(nn.Module):
    """Scale vectors to length 1."""

    def forward(self, embedding: Tensor) -> Tensor:
        """``(..., dim)`` to ``(..., dim)``."""
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


class Activate(nn.Module):
    """An activation behind scores, as cross-encoders have it.

    Args:
        name: one of ``ACTIVATIONS``.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = ACTIVATIONS[name]()

    def forward(self, embedding: Tensor) -> Tensor:
        """``(batch, dim)`` to ``(batch, dim)``."""
        activated: Tensor = self.function(embedding)
        return activated

    def __str__(self) -> str:
        return type(self.function).__name__


class Dense(nn.Module):
    """A linear layer with an activation.

    Args:
        in_features: width of what comes in.
        out_features: width of what comes out.
        bias: whether the layer has a bias.
        activation: what follows the linear layer.
        use_residual: whether what comes in is added to what comes out, by a matrix where the widths differ.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool,
        activation: nn.Module,
        use_residual: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=bias)
        self.activation = activation
        self.use_residual = use_residual
        if use_residual and in_features != out_features:
            self.residual = nn.Linear(in_features, out_features, bias=False)
        self.in_features, self.out_features = in_features, out_features

    def forward(self, embedding: Tensor) -> Tensor:
        """``(..., in_features)`` to ``(..., out_features)`` in float64, computed in the layer's dtype."""
        given = embedding.to(self.linear.weight.dtype)
        result: Tensor = self.activation(self.linear(given))
        if self.use_residual:
            result = result + (given if self.in_features == self.out_features else self.residual(given))
        return result.double()

    def __str__(self) -> str:
        return f"dense to {self.out_features}"


class LayerNorm(nn.Module):
    """A layer norm with weights.

    Args:
        dimension: width of the vectors.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)

    def forward(self, embedding: Tensor) -> Tensor:
        """``(..., dim)`` to ``(..., dim)`` in float64, computed in the layer's dtype."""
        result: Tensor = self.norm(embedding.to(self.norm.weight.dtype))
        return result.double()

    def __str__(self) -> str:
        return "layer norm"


@dataclass(frozen=True)
class ModuleSpec:
    """A module around a model, as the settings in its folder describe it.

    Attributes:
        folder: with its weights; ``None`` for one that has none.
        build: makes it, its weights not yet loaded.
        width: of the vectors that it gives, if they may have another one than those that it takes.
    """

    folder: Path | None
    build: Callable[[], nn.Module]
    width: int | None = None
