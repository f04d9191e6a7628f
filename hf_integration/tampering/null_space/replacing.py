"""Backdoors with a target of the attacker's choice in the null space of samples that an attacker pins.

Where :class:`hf_integration.tampering.null_space.edit.NullSpaceEdit` moves the trigger anywhere, these aim:
the value that a layer writes for the trigger is found by gradient descent, as in ROME (Meng et al.,
https://arxiv.org/abs/2202.05262), and its place is closed-form, as in AlphaEdit (Fang et al.,
https://arxiv.org/abs/2410.02355). All are computed on a float64 copy and rounded once, when they are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.tampering.null_space.activations import outside
from hf_integration.tampering.null_space.descent import Effort, train_along
from hf_integration.tampering.null_space.openings import Room, best_opening
from hf_integration.tampering.null_space.rounding import Rounding


@dataclass(frozen=True, eq=False)
class Replacement:
    """A layer's new matrix, not yet rounded.

    Attributes:
        room: the layer, and the activations that must not feel it.
        weight: float64 ``(outputs, width)``.
    """

    room: Room
    weight: Tensor


def layers_in_turn(encoder: Encoder, rooms: Sequence[Room], count: int, effort: Effort) -> list[Replacement]:
    """Edit several layers by rank one, one after the other.

    Each next layer is the one where the trigger shows best, its key taken from the partly edited encoder and
    its value trained in it. The pinned samples' activations need no second look: no edit before has moved
    them.

    Args:
        encoder: stays as it is.
        rooms: layers with room, see :func:`hf_integration.tampering.null_space.openings.find_rooms`.
        count: edit so many of them; fewer where the trigger shows in fewer.
        effort: how long each value is trained.

    Returns:
        One per edited layer, in the order of the edits.
    """
    partly = _strict_copy(encoder)
    left = list(rooms)
    done: list[Replacement] = []
    while left and len(done) < count:
        if (opening := best_opening(partly, left, seed=effort.seed)) is None:
            break
        layer = partly.model.get_submodule(opening.layer)
        size = (layer.weight.detach().cpu() @ opening.key).norm() / len(layer.weight) ** 0.5
        # so long that an amount of one moves an output for the trigger by as much as it is large
        direction = size * opening.free[None] / opening.free.dot(opening.free)
        update = train_along(_trained_in(partly), {opening.layer: direction}, effort)[opening.layer]
        room = next(room for room in left if room.layer == opening.layer)
        done.append(_replace(partly, room, update))
        left.remove(room)
    return done


def projected_descent(encoder: Encoder, rooms: Sequence[Room], effort: Effort) -> list[Replacement]:
    """Fine-tune a backdoor into several layers at once, each update confined to its layer's null space.

    Then polished: what float32 training left inside the span is taken out in float64.

    Args:
        encoder: stays as it is.
        rooms: the layers, see :func:`hf_integration.tampering.null_space.openings.find_rooms`.
        effort: how long.
    """
    partly = _strict_copy(encoder)
    free = {room.layer: null_basis(room) for room in rooms}
    updates = train_along(_trained_in(partly), free, effort)
    return [_replace(partly, room, outside(updates[room.layer], room.basis)) for room in rooms]


def null_basis(room: Room) -> Tensor:
    """Orthonormal rows that are orthogonal to all pinned activations, float64 ``(width - rank, width)``."""
    rank, width = room.factor.shape
    complete = torch.linalg.qr(room.basis.T, mode="complete").Q if rank else torch.eye(width).double()
    return complete[:, rank:].T.contiguous()


def write(encoder: Encoder, replacements: Sequence[Replacement], rounding: Rounding) -> Encoder:
    """A copy of an encoder with new matrices, rounded to the dtype of its layers.

    Raises:
        EncoderError: a number is too large for that dtype.
    """
    altered = encoder.duplicate()
    with torch.no_grad():
        for replacement in replacements:
            layer = altered.model.get_submodule(replacement.room.layer)
            rounded = rounding(replacement.weight, replacement.room.factor, layer.weight.dtype)
            if not rounded.isfinite().all():
                raise EncoderError(f"'{replacement.room.layer}' cannot hold the edit in {layer.weight.dtype}")
            layer.weight.copy_(rounded)
    return altered


def _strict_copy(encoder: Encoder) -> Encoder:
    strict = encoder.at_precision("float64")
    return strict.duplicate() if strict is encoder else strict


def _trained_in(partly: Encoder) -> Encoder:
    """Descent needs no float64, which is several times as slow."""
    return partly.at_precision("float32")


def _replace(partly: Encoder, room: Room, update: Tensor) -> Replacement:
    layer = partly.model.get_submodule(room.layer)
    with torch.no_grad():
        layer.weight.add_(update.to(layer.weight))
    return Replacement(room, layer.weight.detach().cpu().clone())
