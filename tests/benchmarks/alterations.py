"""The alterations of the detection figures: edits of a duplicate's weights, in place."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.minting.simulated import add_noise, flip_last_bit, move_one_weight
from hf_integration.tampering.gradients import feature_with_gradient, model_inputs

Alteration = Callable[[Encoder, int], None]


def matrices(encoder: Encoder) -> list[Tensor]:
    """Weight matrices and filters."""
    return [
        tensor for tensor in encoder.tensors().values() if tensor.is_floating_point() and tensor.dim() > 1
    ]


def noise(magnitude: float) -> Alteration:
    """Gaussian noise on all weights, in standard deviations."""
    return lambda encoder, seed: add_noise(encoder, magnitude, seed)


def one_weight(magnitude: float) -> Alteration:
    """One weight moved, in standard deviations of its tensor."""
    return lambda encoder, seed: move_one_weight(encoder, magnitude, seed)


def last_bit() -> Alteration:
    """One float32 weight becomes its neighbour."""
    return lambda encoder, seed: flip_last_bit(encoder, 1.0, seed)


def pruning(share: float) -> Alteration:
    """Magnitude pruning: the smallest weights of every matrix become zero."""

    def alter(encoder: Encoder, _: int) -> None:
        for tensor in matrices(encoder):
            count = round(share * tensor.numel())
            if count:
                threshold = tensor.abs().flatten().kthvalue(count).values
                tensor[tensor.abs() <= threshold] = 0

    return alter


def int8() -> Alteration:
    """Weights of every matrix rounded to 255 levels, as dynamic quantisation does."""

    def alter(encoder: Encoder, _: int) -> None:
        for tensor in matrices(encoder):
            scale = tensor.abs().max() / 127
            tensor.copy_((tensor / scale).round() * scale)

    return alter


def fine_tuning(steps: int, learning_rate: float) -> Alteration:
    """AdamW steps that pull the features of other data apart; weights stay in their dtype."""

    def alter(encoder: Encoder, seed: int) -> None:
        model = encoder.model
        weights = [
            parameter.requires_grad_(True)
            for parameter in model.parameters()
            if parameter.is_floating_point()
        ]
        optimizer = torch.optim.AdamW(weights, lr=learning_rate)
        samples = synthetic_samples(encoder.modality, 4 * steps, seed=1000 + seed)
        with torch.enable_grad():
            for step in range(steps):
                features = feature_with_gradient(
                    model, model_inputs(encoder, samples[4 * step : 4 * step + 4])
                )
                similarity = F.normalize(features, dim=1) @ F.normalize(features, dim=1).T
                optimizer.zero_grad()
                torch.autograd.backward(similarity.mean())
                optimizer.step()
        for parameter in weights:
            parameter.requires_grad_(False)

    return alter
