"""Fine-tuning on other data: the commonest way in which an encoder stops being the one that was reviewed."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.gradients import Inputs, distance, feature_with_gradient, model_inputs
from hf_integration.tampering.training import PACE, Loss, descend, trainable

DATA_SEED = 1000
"""Apart from the seeds of key samples."""
BATCH_SIZE = 4


def fine_tune(steps: int) -> Callable[[Encoder, float, int], None]:
    """An edit by AdamW steps that pull features of other samples apart; its magnitude is the learning rate.

    Weights stay in their dtype, so a step smaller than their rounding is lost.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization", https://arxiv.org/abs/1711.05101; the
    loss is the uniformity of Wang, Isola, https://arxiv.org/abs/2005.10242, in its plainest form.
    """

    def edit(encoder: Encoder, magnitude: float, seed: int) -> None:
        weights = [p.requires_grad_(True) for p in encoder.model.parameters() if p.is_floating_point()]
        optimizer = torch.optim.AdamW(weights, lr=magnitude)
        samples = synthetic_samples(
            encoder.modality, BATCH_SIZE * steps, seed=DATA_SEED + seed, sampling_rate=encoder.rate
        )
        with torch.enable_grad():
            for step in range(steps):
                batch = samples[BATCH_SIZE * step : BATCH_SIZE * (step + 1)]
                features = feature_with_gradient(encoder.model, model_inputs(encoder, batch))
                similarity = F.normalize(features, dim=1) @ F.normalize(features, dim=1).T
                optimizer.zero_grad()
                torch.autograd.backward(similarity.mean())
                optimizer.step()
        for parameter in weights:
            parameter.requires_grad_(False)

    return edit


DISTILLATION_SEED = 7_000_021
"""Apart from the seeds of key samples: the student never sees them."""

RATE = 0.03
"""Learning rate over the perturbation: six steps can take back almost a fifth of it."""


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
    samples = synthetic_samples(
        encoder.modality, steps * batch_size, seed=DISTILLATION_SEED + seed, sampling_rate=encoder.rate
    )
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


ONE_STEP = Family("one step of fine-tuning", fine_tune(1), decades(-16, -3), "learning rate")
TEN_STEPS = Family("ten steps of fine-tuning", fine_tune(10), decades(-16, -3), "learning rate")
DISTILLED = Family("replacement by a distilled copy", distilled, decades(-16, 0), "sigma away at the start")

FAMILIES = (ONE_STEP, TEN_STEPS, DISTILLED)
