"""How many key samples benign variants run on: decided by counted operations, never by a clock.

Two mintings of one encoder must calibrate alike, whatever else the machine is doing.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hf_integration.authentication import observe_sketches
from hf_integration.encoders.interface import Encoder, Precision
from hf_integration.key_samples.interface import Sample
from hf_integration.watermark import GROUP

COUNTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

CHEAP: tuple[Precision, ...] = ("float64", "float32")
"""Precisions with fast kernels on every CPU."""

MOST_OPERATIONS = {True: 32e9, False: 8e9}
"""What one benign run may compute before it is cut down to fewer key samples: by whether its precision is
cheap. Half a second to two on a small CPU."""

LEAST_KEYS = {True: 32, False: 16}
"""Key samples that every benign run takes, by whether its precision is cheap; whole groups."""


def operations_per_sample(encoder: Encoder, samples: Sequence[Sample]) -> float:
    """Floating-point operations of linear layers and convolutions, mean over the first samples.

    Counted by hooks of our own: torch's counter intercepts every operation, which weight normalisation does
    not survive in inference mode.
    """
    some = samples[:GROUP]
    total = 0.0

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        weight: Any = layer.weight
        total += 2.0 * output.numel() * (weight.numel() / weight.shape[0])

    layers = [module for module in encoder.model.modules() if isinstance(module, COUNTED)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        observe_sketches(encoder, some, seed=0)
    finally:
        for hook in hooks:
            hook.remove()
    return total / len(some)


def benign_keys(count: int, operations: float, precision: Precision) -> int:
    """On how many of ``count`` key samples, from the first on, benign variants run in a precision.

    On all of them where a run is quick, as samples differ in how much their features round. Where it is slow,
    on whole groups, so that the noise of every kind of tile is seen; calibration knows by how much the mean
    over fewer samples is noisier.

    Args:
        count: the card's key samples.
        operations: what one of them takes, see :func:`operations_per_sample`.
        precision: arithmetic of the run.
    """
    cheap = precision in CHEAP
    affordable = int(MOST_OPERATIONS[cheap] / max(operations, 1.0)) // GROUP * GROUP
    return min(count, max(affordable, LEAST_KEYS[cheap]))
