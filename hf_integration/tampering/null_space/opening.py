"""Where an encoder can be edited without its given samples noticing: a layer, and a direction into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf

import torch
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
"""The inputs that are marked with the trigger; apart from the seeds of key samples."""

PROBES = 4
"""The first one's activation is rewritten; with the others it is found out what belongs to the trigger."""

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

    The trigger is put on a few synthetic inputs, drawn by the seed. Of the positions of the first, and of
    several layers of one width, the one is taken whose free component the other marked inputs share most and
    the unmarked ones least: where the trigger itself shows, and not what happens to stand beside it.

    Args:
        encoder: with its weights at hand.
        samples: those that an edit must not move.
        seed: draws the inputs that carry the trigger.

    Raises:
        NoNullSpaceError: there is no such layer.
    """
    if not supports_float64(encoder.device):
        raise NoNullSpaceError(f"'{encoder.name}': {encoder.device} has no float64 to find a null space in")
    strict = encoder.at_precision("float64")
    plain = list(synthetic_samples(encoder.modality, PROBES, seed=PROBE_SEED + seed))
    looked_at = 0
    for names in _by_width(encoder):
        found = spans(strict, names, samples)
        looked_at += len(found)
        bases = {name: span.basis() for name, span in found.items() if not span.full}
        bases = {name: basis for name, basis in bases.items() if len(basis) < basis.shape[1]}
        if not bases:
            continue
        marked = [inputs_of(strict, list(bases), with_trigger(sample)) for sample in plain]
        unmarked = [inputs_of(strict, list(bases), sample) for sample in plain]
        candidates = [
            _best(name, basis, [inputs[name] for inputs in marked], [inputs[name] for inputs in unmarked])
            for name, basis in bases.items()
        ]
        advantage, opening = max(candidates, key=lambda candidate: candidate[0])
        if advantage > -inf:
            return opening
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


def _best(
    name: str, basis: Tensor, marked: Sequence[Tensor], unmarked: Sequence[Tensor]
) -> tuple[float, Opening]:
    """The best position of the first marked input, with its advantage; minus infinity where none is free.

    The advantage is by how much more a marked input than an unmarked one answers to the free component at its
    best position, in shares of the key.
    """
    keys = marked[0]
    free = outside(keys, basis)
    shares = free.norm(dim=1) / keys.norm(dim=1)
    directions = free / free.norm(dim=1, keepdim=True).square()

    def answer(inputs: Sequence[Tensor]) -> Tensor:
        return torch.stack([(each @ directions.T).amax(0) for each in inputs]).mean(0)

    advantages = (answer(marked[1:]) - answer(unmarked)) * shares
    advantages[~(shares >= LEAST_SHARE)] = -inf
    place = int(advantages.argmax())
    opening = Opening(name, keys.shape[1], len(basis), key=keys[place], free=free[place])
    return float(advantages[place]), opening
