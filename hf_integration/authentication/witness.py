"""A few key samples through the encoder itself: no copy, its own precision, kernels, hooks and compiled code.

A strict check runs a copy in float64. What tells the two apart would go unseen there: compiled code that a
copy loses, a kernel that a copy replaces, a hook that looks at the dtype.
"""

from torch import Tensor

from hf_integration.authentication.observation import observe_sketches
from hf_integration.authentication.reconstruction import Reconstruction, reconstruct_first
from hf_integration.authentication.references import reference_for, rounding_of
from hf_integration.card import WatermarkCard
from hf_integration.encoders.interface import Encoder, Weights

WITNESSES = 4
"""Key samples: a difference between encoder and copy is in its code, which any sample runs through."""


def witness(encoder: Encoder, card: WatermarkCard, weights: Weights) -> Reconstruction:
    """Reconstruct the watermark from the first key samples, run as the encoder's users run it.

    Args:
        encoder: the encoder as it is; it is not copied.
        card: the card.
        weights: which recorded weights the encoder holds.

    Returns:
        The reconstruction; key samples that were not run count as untouched.

    Raises:
        UsageError: the card has no reference for the precision that the encoder computes in.
    """
    reference = reference_for(card, weights, encoder.own_precision)
    observed = _observe(encoder, card)
    rounded = encoder.rounded_to(rounding_of(card, weights))
    if rounded is not encoder:
        # The reference was run with other values than this re-encoding holds. A rounded copy has them; what
        # the encoder itself gives besides what a plain copy does comes on top.
        plain, held = _observe(encoder.duplicate(), card), _observe(rounded, card)
        observed = {strip: held[strip] + sketched - plain[strip] for strip, sketched in observed.items()}
    return reconstruct_first(card, reference, observed)


def _observe(encoder: Encoder, card: WatermarkCard) -> dict[str, Tensor]:
    return observe_sketches(encoder, card.key_samples[:WITNESSES], seed=card.seed)
