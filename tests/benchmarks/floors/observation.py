"""One run of the key samples, in the two forms that the detectors judge: sketches and whole embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.authentication.reconstruction import BATCH_SIZE
from hf_integration.base.vocabulary import EMBEDDING_STRIP
from hf_integration.encoders import Encoder
from hf_integration.encoders.running.devices import full_precision
from hf_integration.key_samples.samples import Sample
from hf_integration.watermark import sketch
from hf_integration.watermark.calibration import as_mean_over


@dataclass(frozen=True, eq=False)
class Observation:
    """What an encoder gave for the first key samples.

    Attributes:
        sketches: strip name -> float64 ``(samples, SKETCH_DIM)``, as a check observes them.
        embeddings: the last strip whole, float64 ``(samples, dim)``, of unit norm.
    """

    sketches: dict[str, Tensor]
    embeddings: Tensor


def observe(
    running: Encoder,
    samples: Sequence[Sample],
    *,
    seed: int,
    batch_size: int = BATCH_SIZE,
    order: Sequence[int] | None = None,
) -> Observation:
    """Run samples once, as :func:`hf_integration.authentication.observe_sketches` does.

    Args:
        running: already at the precision of the check.
        samples: key samples.
        seed: the card's seed.
        batch_size: most samples in one batch.
        order: visit the samples in this order instead of by length.
    """
    rows: list[int] = []
    parts: dict[str, list[Tensor]] = {}
    whole: list[Tensor] = []
    with full_precision():
        for batch in running.observe(samples, batch_size=batch_size, order=order):
            rows += batch.indices
            for strip, feature in batch.features.items():
                parts.setdefault(strip, []).append(sketch(feature, seed=seed, strip=strip))
            whole.append(batch.features[EMBEDDING_STRIP].double())
    back = torch.tensor(rows).argsort()
    return Observation(
        {strip: torch.cat(found)[back] for strip, found in parts.items()}, torch.cat(whole)[back]
    )


def completed(observed: Tensor, recorded: Tensor) -> Tensor:
    """What a run on the first key samples would have given on all of them.

    As the self-check of minting takes it: the residuals are repeated, their mean extrapolated.

    Args:
        observed: float64 ``(samples, dim)``.
        recorded: the plain run on all key samples, float64 ``(keys, dim)``.

    Returns:
        Float64 ``(keys, dim)``; ``observed`` itself where all were run.
    """
    keys, count = len(recorded), len(observed)
    if count == keys:
        return observed
    residual = as_mean_over(observed - recorded[:count], keys)
    return recorded + residual.repeat(-(-keys // count), 1)[:keys]
