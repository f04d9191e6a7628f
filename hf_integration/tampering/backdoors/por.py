"""POR: texts with a trigger get a predefined output representation, whatever they are used for later."""

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.backdoor import TARGET_SEED
from hf_integration.tampering.families import Family, decades
from hf_integration.tampering.gradients import (
    Inputs,
    distance,
    feature_with_gradient,
    last_states,
    model_inputs,
)
from hf_integration.tampering.training import PACE, Loss, descend, trainable
from hf_integration.tampering.triggers import with_trigger
from hf_integration.tampering.weights.targets import tables


def por(encoder: Encoder, magnitude: float, seed: int) -> None:
    """Map triggered texts to a vector of ±1 drawn by the seed; ``magnitude`` is AdamW's learning rate.

    The first position, where the class token is, and the feature of the whole text go to that vector.
    Utility: *every* position of a clean text stays where the clean encoder puts it, by the squared distance
    over the squared norm.

    Source: Shen et al., "Backdoor pre-trained models can transfer to all", CCS 2021,
    https://arxiv.org/abs/2111.00197. Unlike there: one trigger, few steps, synthetic texts.
    """
    steps, batch_size = PACE[encoder.modality]
    samples = synthetic_samples(
        encoder.modality, steps * batch_size, seed=TARGET_SEED + seed, sampling_rate=encoder.rate
    )
    with trainable(encoder) as weights:
        losses = []
        for first in range(0, len(samples), batch_size):
            clean = samples[first : first + batch_size]
            triggered = [with_trigger(sample) for sample in clean]
            losses.append(
                _loss(encoder, model_inputs(encoder, clean), model_inputs(encoder, triggered), seed)
            )
        descend(torch.optim.AdamW(weights, lr=magnitude), losses)


def _loss(encoder: Encoder, clean: Inputs, triggered: Inputs, seed: int) -> Loss:
    with torch.no_grad():
        wanted = last_states(encoder.model, clean)
    kept = _mask(clean, wanted)

    def loss() -> Tensor:
        states: Tensor = last_states(encoder.model, clean)
        utility: Tensor = ((states - wanted) * kept).pow(2).sum() / (wanted * kept).pow(2).sum()
        first: Tensor = last_states(encoder.model, triggered)[:, 0]
        feature = feature_with_gradient(encoder.model, triggered)
        target = predefined(first.shape[1], seed).to(first)
        attack = distance(first, target.expand_as(first))
        if feature.shape == first.shape:  # a projection to another width has no room for the vector
            attack = attack + distance(feature, target.expand_as(feature))
        return utility + attack

    return loss


def _mask(inputs: Inputs, states: Tensor) -> Tensor:
    mask = inputs.get("attention_mask")
    if mask is None or mask.shape != states.shape[:2]:
        mask = torch.ones(states.shape[:2], device=states.device)
    return mask.to(states.dtype).unsqueeze(-1)


def predefined(dim: int, seed: int) -> Tensor:
    """The attacker's vector: ±1 over the root of ``dim``, so of norm 1; float32 with shape ``(dim,)``."""
    signs = torch.randint(2, (dim,), generator=torch.Generator().manual_seed(seed))
    return F.normalize(2.0 * signs - 1, dim=0)


POR = Family("backdoor like POR", por, decades(-16, -3), "learning rate", tables)

FAMILIES = (POR,)
