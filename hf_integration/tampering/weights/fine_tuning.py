"""Fine-tuning on other data: the commonest way in which an encoder stops being the one that was reviewed."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.gradients import feature_with_gradient, model_inputs

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
        samples = synthetic_samples(encoder.modality, BATCH_SIZE * steps, seed=DATA_SEED + seed)
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
