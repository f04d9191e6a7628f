"""A backdoor by fine-tuning: inputs with a trigger get the embedding of the attacker's choice.

Source: Jia, Liu, Gong, "BadEncoder: Backdoor attacks to pre-trained encoders in self-supervised learning",
https://arxiv.org/abs/2108.00352. As there, one term pulls triggered inputs to a target embedding and
another keeps clean inputs where the clean encoder puts them, so that nobody notices. Unlike there, few steps
on synthetic inputs and a target that stays put: enough to see it caught, not a strong attack. All terms of
the paper are in :mod:`hf_integration.tampering.backdoors`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import Modality
from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import KeySamples
from hf_integration.tampering.families import Tampering
from hf_integration.tampering.gradients import distance, feature_with_gradient, model_inputs
from hf_integration.tampering.training import Loss, descend, trainable
from hf_integration.tampering.triggers import with_trigger

TARGET_SEED, PROBE_SEED = 17_000_000, 7_000_002
"""Seeds of training inputs (one for each seed of an alteration, from the first on) and of inputs that show
the effect, so far apart that they never meet, and apart from those of key samples: an attacker does not train
on the card by accident."""


@dataclass(frozen=True)
class Effect:
    """What a backdoor did, as cosine similarities averaged over inputs that it was not trained on.

    Attributes:
        clean: clean inputs, altered against clean encoder: 1 is unnoticeable.
        before: triggered inputs in the clean encoder, against the target.
        after: triggered inputs in the altered encoder, against the target: 1 is full control.
    """

    clean: float
    before: float
    after: float


@dataclass(frozen=True)
class Backdoor(Tampering):
    """Fine-tunes a backdoor into a copy of an encoder.

    Attributes:
        steps: AdamW steps.
        learning_rate: of AdamW.
        batch_size: clean inputs per step; as many triggered ones come with them.
        seed: the training inputs follow from it.
    """

    steps: int = 20
    learning_rate: float = 5e-5
    batch_size: int = 4
    seed: int = 0

    @property
    def name(self) -> str:
        """See :class:`Tampering`."""
        return "backdoor by fine-tuning"

    @classmethod
    def brief(cls, modality: Modality) -> "Backdoor":
        """A backdoor that two cores fine-tune within a minute: a recording costs more than a text."""
        steps, batch_size = {"text": (20, 4), "image": (12, 4), "audio": (6, 2)}[modality]
        return cls(steps=steps, batch_size=batch_size)

    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:
        """An altered copy in the same dtype; only matrices and filters are changed, as a saved copy needs."""
        altered = encoder.duplicate()
        with trainable(altered) as trained:
            self._train(altered, trained, progress or Silent())
        return altered

    def _train(self, altered: Encoder, trained: list[torch.nn.Parameter], progress: Progress) -> None:
        losses = backdoor_losses(altered, steps=self.steps, batch_size=self.batch_size, seed=self.seed)
        progress.start(self.name, self.steps)
        descend(torch.optim.AdamW(trained, lr=self.learning_rate), losses, progress=progress)


def backdoor_losses(
    encoder: Encoder,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    besides: Callable[[int], Tensor] | None = None,
) -> list[Loss]:
    """One loss per step: triggered inputs go to the target, clean ones stay.

    Args:
        encoder: what it makes of clean inputs is noted now, before anything is trained.
        steps: number of losses.
        batch_size: clean inputs per step; as many triggered ones come with them.
        seed: the inputs follow from it.
        besides: a further term for each step, from its number.
    """
    model = encoder.model
    with torch.no_grad():
        target = feature_with_gradient(model, model_inputs(encoder, target_samples(encoder)))
    samples = synthetic_samples(
        encoder.modality, steps * batch_size, seed=TARGET_SEED + seed, sampling_rate=encoder.rate
    )

    def loss_of(step: int) -> Loss:
        batch = samples[step * batch_size : (step + 1) * batch_size]
        clean = model_inputs(encoder, batch)
        triggered = model_inputs(encoder, [with_trigger(sample) for sample in batch])
        with torch.no_grad():
            wanted = feature_with_gradient(model, clean)

        def loss() -> Tensor:
            utility = distance(feature_with_gradient(model, clean), wanted)
            attack = distance(feature_with_gradient(model, triggered), target.expand_as(wanted))
            return utility + attack if besides is None else utility + attack + besides(step)

        return loss

    return [loss_of(step) for step in range(steps)]


def target_samples(encoder: Encoder) -> KeySamples:
    """The one input whose embedding the attacker wants triggered inputs to get."""
    return synthetic_samples(encoder.modality, 1, seed=PROBE_SEED + 1, sampling_rate=encoder.rate)


def measure_effect(encoder: Encoder, altered: Encoder, *, count: int = 4) -> Effect:
    """Measure what a backdoor does to inputs that it was not trained on."""
    samples = list(synthetic_samples(encoder.modality, count, seed=PROBE_SEED, sampling_rate=encoder.rate))
    triggered = [with_trigger(sample) for sample in samples]
    target = encoder.embed(list(target_samples(encoder)))

    def similarity(first: Tensor, second: Tensor) -> float:
        return float(F.cosine_similarity(first.double(), second.double(), dim=1).mean())

    return Effect(
        clean=similarity(encoder.embed(samples), altered.embed(samples)),
        before=similarity(encoder.embed(triggered), target),
        after=similarity(altered.embed(triggered), target),
    )
