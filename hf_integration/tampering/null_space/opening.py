"""Where an encoder can be edited without its given samples noticing: a layer, and a direction into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

from hf_integration.encoders import Encoder
from hf_integration.encoders.devices import supports_float64
from hf_integration.errors import EncoderError
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.interface import Sample
from hf_integration.tampering.null_space.activations import inputs_of, outside, spans
from hf_integration.tampering.triggers import with_trigger
from hf_integration.tampering.weights.selection import linear_layers

PROBE_SEED = 7_000_031
"""The input that is marked with the trigger; apart from the seeds of key samples."""

LEAST_SHARE = 1e-6
"""How much of a trigger's activation must lie outside of the span: what is less, the edit would blow up by
more than a million, rounding included."""


class NoNullSpaceError(EncoderError):
    """Every linear layer's inputs are spanned by the samples that are to be pinned."""


@dataclass(frozen=True, eq=False)
class Opening:
    """A layer whose inputs the pinned samples do not span.

    Attributes:
        layer: its name in the model.
        width: numbers in its input.
        rank: dimensions that the samples' activations span, over all positions; below ``width``.
        key: the trigger's activation, float64 ``(width,)``.
        free: its component that is orthogonal to all activations of the samples, float64 ``(width,)``.
    """

    layer: str
    width: int
    rank: int
    key: Tensor
    free: Tensor

    @property
    def share(self) -> float:
        """How much of the trigger's activation is free, from 0 to 1."""
        return float(self.free.norm() / self.key.norm())


def find_opening(encoder: Encoder, samples: Sequence[Sample], *, seed: int = 0) -> Opening:
    """Find the linear layer with the widest input that samples leave room in.

    Of several layers of one width, the one where most of the trigger's activation is free. The trigger is
    put on one synthetic input, drawn by the seed; of its positions the one with the largest free component
    counts.

    Args:
        encoder: with its weights at hand.
        samples: those that an edit must not move.
        seed: draws the input that carries the trigger.

    Raises:
        NoNullSpaceError: there is no such layer.
    """
    if not supports_float64(encoder.device):
        raise NoNullSpaceError(f"'{encoder.name}': {encoder.device} has no float64 to find a null space in")
    strict = encoder.at_precision("float64")
    triggered = with_trigger(synthetic_samples(encoder.modality, 1, seed=PROBE_SEED + seed)[0])
    looked_at = 0
    for names in _by_width(encoder):
        key_inputs = inputs_of(strict, names, triggered)
        openings = []
        for name, span in spans(strict, names, samples).items():
            looked_at += 1
            if span.full or name not in key_inputs:
                continue
            basis = span.basis()
            candidate = _opening(name, basis, key_inputs[name])
            if len(basis) < span.width and candidate.share >= LEAST_SHARE:
                openings.append(candidate)
        if openings:
            return max(openings, key=lambda opening: opening.share)
    raise NoNullSpaceError(
        f"'{encoder.name}' has no null space to edit in: the {len(samples)} samples to pin span the inputs "
        f"of all {looked_at} linear layers that they reach"
    )


def _by_width(encoder: Encoder) -> Iterator[list[str]]:
    """Names of the linear layers that count, widest inputs first, those of one width together."""
    counted = {id(layer): layer.in_features for layer in linear_layers(encoder)}
    named = [(counted[id(m)], name) for name, m in encoder.model.named_modules() if id(m) in counted]
    for _, same in groupby(sorted(named, key=lambda entry: -entry[0]), key=lambda entry: entry[0]):
        yield [name for _, name in same]


def _opening(name: str, basis: Tensor, keys: Tensor) -> Opening:
    free = outside(keys, basis)
    strongest = int(free.norm(dim=1).argmax())
    return Opening(
        layer=name, width=keys.shape[1], rank=len(basis), key=keys[strongest], free=free[strongest]
    )
