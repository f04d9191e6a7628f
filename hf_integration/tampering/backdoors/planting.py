"""What backdoors of encoders share: features of clean, triggered and target inputs, then and now."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.backdoor import TARGET_SEED, target_samples
from hf_integration.tampering.families import Edit
from hf_integration.tampering.gradients import Inputs, feature_with_gradient, model_inputs
from hf_integration.tampering.training import PACE, Loss, descend, trainable
from hf_integration.tampering.triggers import with_trigger


@dataclass(frozen=True, eq=False)
class Features:
    """Features of one step, L2-normalised; those of the encoder before training have no gradient.

    Attributes:
        clean: clean inputs, now; Tensor with shape ``(batch, dim)``.
        clean_before: the same inputs, before training.
        triggered: the same inputs with the trigger, now; ``(batch, dim)``.
        target: the input that the attacker chose, now; ``(1, dim)``.
        target_before: the same input, before training.
    """

    clean: Tensor
    clean_before: Tensor
    triggered: Tensor
    target: Tensor
    target_before: Tensor


Objective = Callable[[Features], Tensor]
"""What an attack descends on: a scalar."""


def planted(objective: Objective) -> Edit:
    """An edit by AdamW steps on one objective; its magnitude is the learning rate.

    Inputs are synthetic and apart from those of cards. Every batch is prepared and embedded by the encoder as
    it was before the first step is taken.
    """

    def edit(encoder: Encoder, magnitude: float, seed: int) -> None:
        steps, batch_size = PACE[encoder.modality]
        samples = synthetic_samples(
            encoder.modality, steps * batch_size, seed=TARGET_SEED + seed, sampling_rate=encoder.rate
        )
        with trainable(encoder) as weights:
            target = model_inputs(encoder, target_samples(encoder))
            target_before = _without_gradient(encoder, target)

            def step(clean: Inputs, triggered: Inputs) -> Loss:
                clean_before = _without_gradient(encoder, clean)
                return lambda: objective(
                    Features(
                        clean=feature_with_gradient(encoder.model, clean),
                        clean_before=clean_before,
                        triggered=feature_with_gradient(encoder.model, triggered),
                        target=feature_with_gradient(encoder.model, target),
                        target_before=target_before,
                    )
                )

            losses = []
            for first in range(0, len(samples), batch_size):
                batch = samples[first : first + batch_size]
                marked = [with_trigger(sample) for sample in batch]
                losses.append(step(model_inputs(encoder, batch), model_inputs(encoder, marked)))
            descend(torch.optim.AdamW(weights, lr=magnitude), losses)

    return edit


def _without_gradient(encoder: Encoder, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        return feature_with_gradient(encoder.model, inputs)
