"""Replacement by a student: other weights that were trained to embed as the encoder does."""

import torch
from torch import nn

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.gradients import Inputs, distance, feature_with_gradient, model_inputs
from hf_integration.tampering.training import PACE, Loss, descend, trainable

DATA_SEED = 7_000_021
"""Apart from the seeds of key samples: the student never sees them."""

RATE = 0.03
"""Learning rate over the perturbation: ten steps can take back a third of it."""


def distilled(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Replace the encoder by a student of the same architecture that learned from its embeddings.

    The student starts from the encoder's matrices and filters with noise of ``magnitude`` standard deviations
    of each, so at 1 there is more noise than teacher, and takes a few AdamW steps towards the teacher's
    embeddings of synthetic inputs. Its learning rate is 0.03 of the noise, tensor by tensor, so that one
    number tells how far the student is from a copy.

    Source: Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network",
    https://arxiv.org/abs/1503.02531, with embeddings in the place of class probabilities.
    """
    random = torch.Generator().manual_seed(seed)
    steps, batch_size = PACE[encoder.modality]
    samples = synthetic_samples(encoder.modality, steps * batch_size, seed=DATA_SEED + seed)
    with trainable(encoder) as weights:
        losses = [
            _loss(encoder, model_inputs(encoder, samples[first : first + batch_size]))
            for first in range(0, len(samples), batch_size)
        ]
        groups = []
        for weight in weights:
            noise = magnitude * float(weight.detach().std())
            with torch.no_grad():
                weight.add_(torch.randn(weight.shape, generator=random).to(weight), alpha=noise)
            groups.append({"params": [weight], "lr": RATE * noise})
        descend(torch.optim.AdamW(groups, weight_decay=0.0), losses)


def _loss(encoder: Encoder, inputs: Inputs) -> Loss:
    model: nn.Module = encoder.model
    with torch.no_grad():
        taught = feature_with_gradient(model, inputs)
    return lambda: distance(feature_with_gradient(model, inputs), taught)
