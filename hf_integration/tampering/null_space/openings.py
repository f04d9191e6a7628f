"""Where an encoder can be edited without its given samples noticing: a layer, and a direction into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.encoders.running.devices import supports_float64
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.null_space.activations import inputs_of, outside, spans
from hf_integration.tampering.triggers import with_trigger
from hf_integration.tampering.weights.targets import linear_layers

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


@dataclass(frozen=True, eq=False)
class Room:
    """A layer that samples leave room in.

    Attributes:
        layer: its name in the model.
        factor: of the samples' activations at its input, float64 ``(rank, width)``, see
            :meth:`hf_integration.tampering.null_space.activations.Span.factor`; rank is below width.
    """

    layer: str
    factor: Tensor

    @property
    def basis(self) -> Tensor:
        """Orthonormal rows of the same span."""
        return F.normalize(self.factor, dim=1, eps=0)


def find_opening(encoder: Encoder, samples: Sequence[Sample], *, seed: int = 0) -> Opening:
    """Find the linear layer with the widest input that samples leave room in.

    Args:
        encoder: with its weights at hand.
        samples: those that an edit must not move.
        seed: draws the inputs that carry the trigger.

    Raises:
        NoNullSpaceError: there is no such layer.
    """
    strict, looked_at = _strict(encoder), 0
    for rooms, count in _rooms_by_width(strict, samples):
        looked_at += count
        if rooms and (opening := best_opening(strict, rooms, seed=seed)) is not None:
            return opening
    raise _no_room(encoder, samples, looked_at)


def find_rooms(encoder: Encoder, samples: Sequence[Sample]) -> list[Room]:
    """All linear layers that samples leave room in, of the widest input that has any, in forward order.

    Args:
        encoder: with its weights at hand.
        samples: those that an edit must not move.

    Raises:
        NoNullSpaceError: there is no such layer.
    """
    looked_at = 0
    for rooms, count in _rooms_by_width(_strict(encoder), samples):
        looked_at += count
        if rooms:
            return rooms
    raise _no_room(encoder, samples, looked_at)


def best_opening(strict: Encoder, rooms: Sequence[Room], *, seed: int = 0) -> Opening | None:
    """Of several layers, the one whose inputs betray the trigger best; ``None`` where none is free of it.

    The trigger is put on a few synthetic inputs, drawn by the seed. Of the positions of the first, and of
    several layers of one width, the one is taken whose free component the other marked inputs share most and
    the unmarked ones least: where the trigger itself shows, and not what happens to stand beside it.

    Args:
        strict: computes in float64.
        rooms: one or more layers.
        seed: draws the inputs that carry the trigger.
    """
    plain = list(
        synthetic_samples(strict.modality, PROBES, seed=PROBE_SEED + seed, sampling_rate=strict.rate)
    )
    names = [room.layer for room in rooms]
    marked = [inputs_of(strict, names, with_trigger(sample)) for sample in plain]
    unmarked = [inputs_of(strict, names, sample) for sample in plain]
    candidates = [
        _best(
            room.layer,
            room.basis,
            [inputs[room.layer] for inputs in marked],
            [inputs[room.layer] for inputs in unmarked],
        )
        for room in rooms
    ]
    advantage, opening = max(candidates, key=lambda candidate: candidate[0])
    return opening if advantage > -inf else None


def _strict(encoder: Encoder) -> Encoder:
    if not supports_float64(encoder.device):
        raise NoNullSpaceError(f"'{encoder.name}': {encoder.device} has no float64 to find a null space in")
    return encoder.at_precision("float64")


def _rooms_by_width(strict: Encoder, samples: Sequence[Sample]) -> Iterator[tuple[list[Room], int]]:
    """Layers with room, those of one width together and the widest first; and how many were looked at."""
    for names in _by_width(strict):
        found = spans(strict, names, samples)
        factors = [(name, found[name].factor()) for name in names if name in found and not found[name].full]
        yield [Room(name, f) for name, f in factors if len(f) < f.shape[1]], len(found)


def _no_room(encoder: Encoder, samples: Sequence[Sample], looked_at: int) -> NoNullSpaceError:
    return NoNullSpaceError(
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
