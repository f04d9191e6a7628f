"""A backdoor by fine-tuning: inputs with a trigger get the embedding of the attacker's choice.

Source: Jia, Liu, Gong, "BadEncoder: Backdoor attacks to pre-trained encoders in self-supervised learning",
https://arxiv.org/abs/2108.00352. As there, one term pulls triggered inputs to a target embedding and
another keeps clean inputs where the clean encoder puts them, so that nobody notices. Unlike there, few steps
on synthetic inputs: enough to see it caught, not a strong attack.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.interface import KeySamples, Modality
from hf_integration.progress import Progress, Silent
from hf_integration.tampering.gradients import feature_with_gradient, model_inputs
from hf_integration.tampering.interface import Tampering
from hf_integration.tampering.triggers import with_trigger

TARGET_SEED, PROBE_SEED = 7_000_001, 7_000_002
"""Seeds apart from those of key samples: an attacker does not train on the card by accident."""


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
        progress = progress or Silent()
        altered = encoder.duplicate()
        model = altered.model
        dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
        model.float().eval().requires_grad_(False)
        trained = [parameter for parameter in model.parameters() if parameter.ndim > 1]
        for parameter in trained:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            self._train(altered, trained, progress)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(False)
            parameter.data = parameter.data.to(dtypes[name])
        for buffer_name, buffer in encoder.model.named_buffers():
            model.get_buffer(buffer_name).data = buffer.detach().clone()
        return altered

    def _train(self, altered: Encoder, trained: list[torch.nn.Parameter], progress: Progress) -> None:
        model = altered.model
        target = feature_with_gradient(model, model_inputs(altered, target_samples(altered))).detach()
        samples = synthetic_samples(
            altered.modality, self.steps * self.batch_size, seed=TARGET_SEED + self.seed
        )
        batches = []
        for step in range(self.steps):
            clean = samples[step * self.batch_size : (step + 1) * self.batch_size]
            inputs = model_inputs(altered, clean)
            with torch.no_grad():
                wanted = feature_with_gradient(model, inputs)
            batches.append(
                (inputs, wanted, model_inputs(altered, [with_trigger(sample) for sample in clean]))
            )
        optimizer = torch.optim.AdamW(trained, lr=self.learning_rate)
        progress.start(self.name, self.steps)
        for clean_inputs, wanted, triggered_inputs in batches:
            optimizer.zero_grad()
            utility = _distance(feature_with_gradient(model, clean_inputs), wanted)
            attack = _distance(feature_with_gradient(model, triggered_inputs), target.expand_as(wanted))
            torch.autograd.backward(utility + attack)
            optimizer.step()
            progress.advance()


def _distance(found: Tensor, wanted: Tensor) -> Tensor:
    return (1 - F.cosine_similarity(found, wanted, dim=1)).mean()


def target_samples(encoder: Encoder) -> KeySamples:
    """The one input whose embedding the attacker wants triggered inputs to get."""
    return synthetic_samples(encoder.modality, 1, seed=PROBE_SEED + 1)


def measure_effect(encoder: Encoder, altered: Encoder, *, count: int = 4) -> Effect:
    """Measure what a backdoor does to inputs that it was not trained on."""
    samples = list(synthetic_samples(encoder.modality, count, seed=PROBE_SEED))
    triggered = [with_trigger(sample) for sample in samples]
    target = encoder.embed(list(target_samples(encoder)))

    def similarity(first: Tensor, second: Tensor) -> float:
        return float(F.cosine_similarity(first.double(), second.double(), dim=1).mean())

    return Effect(
        clean=similarity(encoder.embed(samples), altered.embed(samples)),
        before=similarity(encoder.embed(triggered), target),
        after=similarity(altered.embed(triggered), target),
    )
