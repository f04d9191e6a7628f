"""A backdoor by fine-tuning that also keeps given samples where they are, as who knows a card would."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hf_integration.base.progress import Progress, Silent
from hf_integration.base.vocabulary import PROCESSOR_STRIP
from hf_integration.encoders import Encoder
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.backdoor import backdoor_losses
from hf_integration.tampering.families import Tampering
from hf_integration.tampering.training import descend, trainable

BATCH = 32
"""Pinned samples that are run together."""

Strips = list[dict[str, Tensor]]


@dataclass(frozen=True)
class PinnedBackdoor(Tampering):
    """Like :class:`hf_integration.tampering.backdoor.Backdoor`, with one term more.

    The term is the squared relative deviation of every strip of every pinned sample, as a card looks at
    them, from what the clean encoder gives: mean over strips and samples.

    Attributes:
        samples: those to pin, for instance a card's key samples.
        weight: of that term; triggered and clean inputs have 1 each.
        steps: AdamW steps, with a learning rate that falls linearly to zero.
        learning_rate: the first one.
        batch_size: clean inputs per step; as many triggered ones come with them.
        pinned_at_once: pinned samples per step, all in turn.
        seed: the training inputs follow from it.
    """

    samples: Sequence[Sample] = field(repr=False)
    weight: float
    steps: int
    learning_rate: float = 5e-5
    batch_size: int = 4
    pinned_at_once: int = 16
    seed: int = 0

    @property
    def name(self) -> str:
        """See :class:`Tampering`."""
        return "backdoor that pins samples"

    def __call__(self, encoder: Encoder, *, progress: Progress | None = None) -> Encoder:
        """An altered copy in the same dtype; only matrices and filters are changed."""
        altered = encoder.duplicate()
        with trainable(altered) as trained:
            self._train(altered, trained, progress or Silent())
        return altered

    def _train(self, altered: Encoder, trained: list[torch.nn.Parameter], progress: Progress) -> None:
        groups = [
            self.samples[first : first + self.pinned_at_once]
            for first in range(0, len(self.samples), self.pinned_at_once)
        ]
        before = [strips_of(altered, group, gradient=False) for group in groups] if self.weight else []

        def pinned(step: int) -> Tensor:
            place = step % len(groups)
            return self.weight * deviation(before[place], strips_of(altered, groups[place], gradient=True))

        losses = backdoor_losses(
            altered,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
            besides=pinned if self.weight else None,
        )
        progress.start(self.name, self.steps)
        optimizer = torch.optim.AdamW(trained, lr=self.learning_rate, weight_decay=0.0)
        descend(optimizer, losses, decay=True, progress=progress)


def strips_of(encoder: Encoder, samples: Sequence[Sample], *, gradient: bool) -> Strips:
    """What a card looks at, batch by batch; what the processor gives is not for the weights to change."""
    return [
        {name: strip for name, strip in batch.features.items() if name != PROCESSOR_STRIP}
        for batch in encoder.observe(samples, batch_size=BATCH, gradient=gradient)
    ]


def deviation(before: Strips, now: Strips) -> Tensor:
    """Squared relative deviation of strips ``(batch, dim)``, the mean over batches, strips and samples."""
    squares = [
        (now_in[name] - strip).square().sum(1) / strip.square().sum(1).clamp(min=1e-30)
        for before_in, now_in in zip(before, now, strict=True)
        for name, strip in before_in.items()
    ]
    return torch.cat(squares).mean()
