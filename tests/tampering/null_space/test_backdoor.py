"""Backdoors with a target in the null space: the pinned samples stay, and what is trained keeps to it."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from hf_integration.base.errors import EncoderError
from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.backdoor import measure_effect
from hf_integration.tampering.null_space import (
    Effort,
    NoNullSpaceError,
    Replacement,
    Room,
    find_rooms,
    layers_in_turn,
    plain,
    projected_descent,
    sequential,
    write,
)
from hf_integration.tampering.null_space.activations import inputs_of
from hf_integration.tampering.null_space.openings import PROBE_SEED
from hf_integration.tampering.null_space.replacing import null_basis
from hf_integration.tampering.triggers import with_trigger
from tests.encoders import tiny_models

EncoderOf = Callable[[str], Encoder]
QUICK = Effort(steps=30, learning_rate=0.3)


def _moved(encoder: Encoder, altered: Encoder, samples: Sequence[Sample]) -> float:
    before, after = (e.at_precision("float64").embed(samples) for e in (encoder, altered))
    return float(((after - before).norm(dim=1) / before.norm(dim=1)).max())


def _change(encoder: Encoder, replacement: Replacement) -> Tensor:
    before = encoder.model.get_submodule(replacement.room.layer).weight.detach().double()
    change: Tensor = replacement.weight - before
    return change


def test_rooms_are_the_layers_with_the_widest_input_that_has_room(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    rooms = find_rooms(encoder, tiny_models.TEXTS[:2])
    assert [room.layer for room in rooms] == [f"encoder.layer.{n}.output.dense" for n in range(len(rooms))]
    for room in rooms:
        assert 0 < len(room.factor) < room.factor.shape[1] == 37
        inputs = inputs_of(encoder.at_precision("float64"), [room.layer], tiny_models.TEXTS[0])[room.layer]
        assert float((inputs @ null_basis(room).T).abs().max()) < 1e-13 * float(inputs.abs().max()) * 37


def test_samples_that_fill_every_layer_leave_no_rooms(encoder_of: EncoderOf) -> None:
    with pytest.raises(NoNullSpaceError, match="no null space to edit in"):
        find_rooms(encoder_of("whisper"), tiny_models.samples("audio")[:1])


@pytest.mark.parametrize(("name", "layers"), [("bert", 1), ("bert", 2), ("vit", 2)])
def test_edits_in_turn_keep_the_keys_and_move_the_trigger(
    encoder_of: EncoderOf, name: str, layers: int
) -> None:
    encoder = encoder_of(name)
    samples = tiny_models.samples(encoder.modality)[:1]
    edits = layers_in_turn(encoder, find_rooms(encoder, samples), layers, QUICK)
    assert len({edit.room.layer for edit in edits}) == len(edits) == layers
    for edit in edits:
        sizes = torch.linalg.svdvals(_change(encoder, edit))
        assert sizes[1] < 1e-10 * sizes[0]
    strict = encoder.at_precision("float64")
    assert _moved(strict, write(strict, edits, plain), samples) < 1e-12
    altered = write(encoder, edits, sequential)
    pinned = _moved(encoder, altered, samples)
    assert pinned < 1e-6
    probe = synthetic_samples(encoder.modality, 1, seed=PROBE_SEED)[0]
    assert _moved(encoder, altered, [with_trigger(probe)]) > 1e3 * pinned
    if name == "bert":  # a tiny ViT's trigger shows in too little for four inputs to share it
        effect = measure_effect(encoder, altered)
        assert 1 - effect.after < 0.8 * (1 - effect.before)  # all embeddings of a tiny encoder are alike


def test_the_first_edits_do_not_depend_on_those_after_them(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    rooms = find_rooms(encoder, tiny_models.TEXTS[:2])
    one, two = (layers_in_turn(encoder, rooms, count, QUICK) for count in (1, 2))
    assert torch.equal(one[0].weight, two[0].weight)
    assert len(layers_in_turn(encoder, rooms, 99, QUICK)) == len(rooms)


def test_projected_descent_stays_in_the_null_space_of_every_layer(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    samples = tiny_models.TEXTS[:2]
    rooms = find_rooms(encoder, samples)
    edits = projected_descent(encoder, rooms, Effort(steps=30, learning_rate=1e-2))
    assert [edit.room for edit in edits] == rooms
    for edit in edits:
        change = _change(encoder, edit)
        assert float(change.norm()) > 0
        assert float((change @ edit.room.basis.T).norm()) < 1e-14 * float(edit.weight.norm())
    strict = encoder.at_precision("float64")
    assert _moved(strict, write(strict, edits, plain), samples) < 1e-12
    effect = measure_effect(encoder, write(encoder, edits, plain))
    assert 1 - effect.after < 0.8 * (1 - effect.before)


def test_the_encoder_itself_stays_as_it_is(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert").at_precision("float64").duplicate()
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    rooms = find_rooms(encoder, tiny_models.TEXTS[:2])
    # the library leaves hooks of its own once hidden states were asked for
    hooks = [list(module._forward_hooks) for module in encoder.model.modules()]
    wanted = [parameter.requires_grad for parameter in encoder.model.parameters()]
    few = Effort(steps=2, learning_rate=0.1)
    for edits in (layers_in_turn(encoder, rooms, 1, few), projected_descent(encoder, rooms, few)):
        write(encoder, edits, plain)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.tensors().items())
    assert [parameter.requires_grad for parameter in encoder.model.parameters()] == wanted
    assert [list(module._forward_hooks) for module in encoder.model.modules()] == hooks


def test_an_edit_that_the_dtype_cannot_hold_is_refused(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    layer = "encoder.layer.0.output.dense"
    weight = encoder.model.get_submodule(layer).weight.detach().double() * 1e300
    room = Room(layer, torch.empty(0, weight.shape[1], dtype=torch.float64))
    with pytest.raises(EncoderError, match="cannot hold the edit"):
        write(encoder, [Replacement(room, weight)], plain)


def test_nothing_pinned_leaves_everything_free() -> None:
    free = null_basis(Room("any", torch.empty(0, 5, dtype=torch.float64)))
    assert torch.equal(free, torch.eye(5, dtype=torch.float64))
