"""Whether padding leaks into real samples, found out by trying.

Convolutions over time, means over positions and Fourier transforms see padding whatever a mask says. A list
of such architectures would never be complete.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hf_integration.authentication.references import default_precision
from hf_integration.base.errors import EncoderError, SSLAuthError, in_one_line
from hf_integration.base.vocabulary import PROCESSOR_STRIP
from hf_integration.benign.noise import MOST_NOISE
from hf_integration.encoders.interface import Encoder
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import Sample

SOME = 4
"""Key samples that are tried, and synthetic texts besides, as key samples may all be of one length."""


def padding_leaks(encoder: Encoder, key_samples: Sequence[Sample], *, seed: int) -> bool:
    """Whether a sample comes out otherwise beside a longer one, by more than rounding explains.

    Args:
        encoder: as it was loaded.
        key_samples: those of the card; none, where they are synthetic texts anyway.
        seed: further texts follow from it.

    Raises:
        EncoderError: the encoder cannot be run at all.
    """
    samples = list(key_samples[:SOME])
    if encoder.modality == "text":
        samples += synthetic_samples("text", SOME, seed=seed)
    precision = default_precision(encoder)
    try:
        running = encoder.at_precision(precision, run_only=True)
        alone = _strips(running, samples if encoder.pads else samples[:1], 1)
        if not encoder.pads:
            return False
        together = _strips(running, samples, len(samples))
    except SSLAuthError:
        raise
    except Exception as error:  # whatever the code of a model raises that takes other inputs
        raise EncoderError(
            f"'{encoder.name}': architecture {encoder.description.architecture!r} is not supported: it "
            f"cannot be run on {encoder.modality} alone: {in_one_line(error)}"
        ) from error
    return any(
        # a norm that is not a number compares false with everything
        not bool(((together[name] - strip).norm(dim=1) <= MOST_NOISE[precision] * strip.norm(dim=1)).all())
        for name, strip in alone.items()
        if name in together
    )


def _strips(encoder: Encoder, samples: Sequence[Sample], batch_size: int) -> dict[str, Tensor]:
    """Every strip of the model, with rows in the order of the samples."""
    with full_precision():
        batches = list(encoder.observe(samples, batch_size=batch_size))
    place = torch.tensor([index for batch in batches for index in batch.indices]).argsort()
    # a head gives nothing for recordings that are too short for it
    strips = set.intersection(*(set(batch.features) for batch in batches)) - {PROCESSOR_STRIP}
    names = [name for name in batches[0].features if name in strips]
    return {name: torch.cat([batch.features[name] for batch in batches])[place] for name in names}
