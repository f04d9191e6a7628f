"""Alterations of whole matrices: one fact rewritten, an adapter merged, a round trip through few bits."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.weights.targets import inner_matrices, linear_layers, matrices, pick

PROBE_SEED = 7_000_011
"""The input whose meaning is rewritten; apart from the seeds of key samples."""

RANK = 8
"""Rank of a merged adapter, as adapters commonly have."""


def rank_one(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Rewrite what one linear layer gives for one input; ``magnitude`` is relative to what it gave.

    Source: Meng, Bau, Andonian, Belinkov, "Locating and editing factual associations in GPT" (ROME),
    https://arxiv.org/abs/2202.05262. The closed form with the identity for the covariance of keys, and a
    random direction for the new value.
    """
    found = linear_layers(encoder)
    layer = found[pick(len(found), seed)]
    key = _mean_input(encoder, layer)
    value = torch.randn(layer.out_features, generator=torch.Generator().manual_seed(seed)).to(layer.weight)
    value *= magnitude * (layer.weight @ key).norm() / value.norm()
    layer.weight += torch.outer(value, key) / key.dot(key)


def merged_adapter(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Merge an adapter of rank 8 into every matrix; ``magnitude`` is its Frobenius norm over the matrix's.

    Source: Hu et al., "LoRA: Low-rank adaptation of large language models", https://arxiv.org/abs/2106.09685.
    """
    random = torch.Generator().manual_seed(seed)
    for matrix in inner_matrices(encoder):
        if matrix.dim() == 2:
            down = torch.randn(RANK, matrix.shape[1], generator=random)
            update = (torch.randn(matrix.shape[0], RANK, generator=random) @ down).to(matrix)
            matrix.add_(update * (magnitude * matrix.norm() / update.norm()))


def _mean_input(encoder: Encoder, layer: nn.Module) -> Tensor:
    """Mean input of a layer over all positions of one sample."""
    seen: list[Tensor] = []

    def catch(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].detach().flatten(0, -2).mean(0))

    handle = layer.register_forward_pre_hook(catch)
    try:
        encoder.embed(
            list(synthetic_samples(encoder.modality, 1, seed=PROBE_SEED, sampling_rate=encoder.rate))
        )
    finally:
        handle.remove()
    weight: Tensor = layer.weight  # type: ignore[assignment]  # of a linear layer
    if not seen:  # WavLM hands some weights to a function instead of calling their layer
        return torch.ones(weight.shape[1]).to(weight)
    return seen[0].clone().to(weight)


def round_trip(bits: int) -> Callable[[Encoder, float, int], None]:
    """An edit that rounds every matrix to ``2**bits - 1`` levels about zero, with one scale per matrix.

    Source: Dettmers, Lewis, Belkada, Zettlemoyer, "LLM.int8()", https://arxiv.org/abs/2208.07339.
    """
    most = 2 ** (bits - 1) - 1

    def edit(encoder: Encoder, _: float, __: int) -> None:
        for matrix in matrices(encoder):
            scale = matrix.abs().max() / most
            if scale:
                matrix.copy_((matrix / scale).round() * scale)

    return edit


RANK_ONE = Family("rank-one edit", rank_one, decades(-13, 1), "of the output for one input", linear_layers)
ADAPTER = Family(
    "merged adapter of rank 8", merged_adapter, decades(-16, -1), "of each matrix", linear_layers
)
INT8 = Family("int8 round trip", round_trip(8))
INT4 = Family("int4 round trip", round_trip(4))

FAMILIES = (RANK_ONE, ADAPTER, INT8, INT4)
