"""The null-space edit: pinned samples stay, the trigger moves, and where there is no room it says so."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hf_integration.encoders import Encoder, open_encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import Sample
from hf_integration.tampering.catalogue import NULL_SPACE, families_for
from hf_integration.tampering.families import Family
from hf_integration.tampering.null_space import (
    NoNullSpaceError,
    Opening,
    edit,
    find_opening,
    null_space_family,
)
from hf_integration.tampering.null_space.openings import PROBE_SEED, _best
from hf_integration.tampering.triggers import with_trigger
from tests.encoders import tiny_models

EncoderOf = Callable[[str], Encoder]


def _moved(encoder: Encoder, altered: Encoder, samples: list[Sample]) -> Tensor:
    """How far the embeddings of samples are from where they were, in float64, relative."""
    before, after = (e.at_precision("float64").embed(samples) for e in (encoder, altered))
    moved: Tensor = (after - before).norm(dim=1) / before.norm(dim=1)
    return moved


def _family(encoder: Encoder, count: int = 4) -> tuple[Family, list[Sample]]:
    samples = tiny_models.samples(encoder.modality)[:count]
    return null_space_family(samples, (10.0,)), samples


def _probe(encoder: Encoder) -> list[Sample]:
    return [with_trigger(synthetic_samples(encoder.modality, 1, seed=PROBE_SEED)[0])]


@pytest.mark.parametrize(("name", "count"), [("bert", 4), ("vit", 1), ("vit", 4), ("clip", 4)])
def test_pinned_samples_stay_and_the_trigger_moves_far(encoder_of: EncoderOf, name: str, count: int) -> None:
    encoder = encoder_of(name)
    family, samples = _family(encoder, count)
    altered = family.at(10.0)(encoder)
    pinned, triggered = _moved(encoder, altered, samples), _moved(encoder, altered, _probe(encoder))
    # 6e-8 is half a unit in the last place of float32; the layer's output is moved by ten times its norm
    assert 0 < float(pinned.max()) < 5e-7
    assert float(triggered) > 0.04
    assert float(triggered) > 1e5 * float(pinned.max())


def test_in_float64_nothing_at_all_moves_them(encoder_of: EncoderOf) -> None:
    """So it is the rounding to the stored dtype, and nothing else, that gives the edit away."""
    strict = encoder_of("bert").at_precision("float64")
    family, samples = _family(strict)
    altered = family.at(10.0)(strict)
    assert float(_moved(strict, altered, samples).max()) < 1e-13
    assert float(_moved(strict, altered, _probe(strict))) > 0.04


def test_every_position_is_pinned_not_only_their_mean(encoder_of: EncoderOf) -> None:
    strict = encoder_of("vit").at_precision("float64")
    family, samples = _family(strict, 1)
    opening = find_opening(strict, samples)
    assert 1 < opening.rank < opening.width == 37

    def states(encoder: Encoder) -> Tensor:
        seen: list[Tensor] = []
        layer = encoder.model.get_submodule(opening.layer)
        handle = layer.register_forward_hook(lambda _m, _i, output: seen.append(output.clone()))
        encoder.embed(samples, batch_size=1)
        handle.remove()
        return torch.cat(seen)

    before, after = states(strict), states(family.at(100.0)(strict))
    assert before.shape[1] > 10
    assert float((after - before).norm(dim=-1).max() / before.norm(dim=-1).mean()) < 1e-12


def test_the_key_s_output_moves_by_the_magnitude(encoder_of: EncoderOf) -> None:
    strict = encoder_of("bert").at_precision("float64")
    family, samples = _family(strict)
    opening = find_opening(strict, samples)
    layers = [e.model.get_submodule(opening.layer) for e in (strict, family.at(3.0)(strict))]
    with torch.no_grad():
        before, after = (layer(opening.key) for layer in layers)
    assert float((after - before).norm() / before.norm()) == pytest.approx(3.0, rel=1e-9)
    assert 0 < opening.share <= 1


def test_one_matrix_is_edited_by_rank_one_as_the_seed_says(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    family, samples = _family(encoder)
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    first, again, other = (family.at(10.0, seed=seed)(encoder).tensors() for seed in (1, 1, 2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.tensors().items())
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())
    ((name, update),) = (
        (n, t.double() - before[n].double()) for n, t in first.items() if not torch.equal(t, before[n])
    )
    assert name == find_opening(encoder, samples, seed=1).layer + ".weight"
    sizes = torch.linalg.svdvals(update)
    assert sizes[1] < 1e-5 * sizes[0]


def test_the_widest_layer_that_has_room_is_taken(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("vit")
    few = find_opening(encoder, tiny_models.images(1))
    assert (few.layer.endswith("mlp.fc2"), few.width) == (True, 37)
    many = find_opening(encoder, tiny_models.images(4))  # 4 x 17 positions fill all but the pooled layer
    assert (many.layer, many.width, many.rank) == ("pooler.dense", 32, 4)


@pytest.mark.parametrize("name", ["wav2vec2", "whisper"])
def test_samples_that_fill_every_layer_are_refused_clearly(encoder_of: EncoderOf, name: str) -> None:
    family, _ = _family(encoder_of(name), 1)
    with pytest.raises(
        NoNullSpaceError, match="no null space to edit in: the 1 samples to pin span the inputs"
    ):
        family.at(10.0)(encoder_of(name))


def test_the_boundary_is_one_sample_more_than_the_pooled_layer_has_inputs(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("vit")
    samples = list(synthetic_samples("image", 32, seed=3))
    assert find_opening(encoder, samples[:31]).rank == 31
    with pytest.raises(NoNullSpaceError):
        find_opening(encoder, samples)


def test_no_linear_layer_nothing_to_alter(encoder_of: EncoderOf) -> None:
    family, _ = _family(encoder_of("resnet"))
    assert not family.applies(encoder_of("resnet"))


def test_half_precision_is_where_rounding_shows(tmp_path: Path) -> None:
    tiny_models.save("bert", tmp_path)
    tiny_models.build("bert").bfloat16().save_pretrained(tmp_path)
    encoder = open_encoder(tmp_path, name="half", device="cpu")
    family, samples = _family(encoder)
    altered = family.at(10.0)(encoder)
    assert {tensor.dtype for tensor in altered.tensors().values()} == {torch.bfloat16}
    assert 1e-6 < float(_moved(encoder, altered, samples).max()) < 1e-2


def test_it_is_among_the_families_where_samples_are_given(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    without, pinning = families_for(encoder), families_for(encoder, tiny_models.TEXTS)
    assert len(pinning) == len(without) + 1
    assert pinning[-1].magnitudes == NULL_SPACE == tuple(sorted(NULL_SPACE))


def test_one_search_serves_all_magnitudes_of_one_encoder(
    encoder_of: EncoderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []

    def counted(encoder: Encoder, samples: Sequence[Sample], *, seed: int) -> Opening:
        searched.append(seed)
        return find_opening(encoder, samples, seed=seed)

    monkeypatch.setattr(edit, "find_opening", counted)
    family, _ = _family(encoder_of("bert"))
    first = family.at(1.0)(encoder_of("bert"))
    family.at(10.0)(encoder_of("bert"))
    assert searched == [0]
    family.at(10.0)(first)  # another encoder: its activations are others
    family.at(10.0, seed=1)(first)
    assert searched == [0, 0, 1]


def test_of_all_positions_the_trigger_s_own_is_taken() -> None:
    """Not the one that is free to the largest part, which marked and unmarked inputs share here."""
    trigger, common, pinned = torch.eye(3, dtype=torch.float64) * torch.tensor([1.0, 5.0, 1.0])
    unmarked = [torch.stack([pinned, common])] * 3
    marked = [torch.stack([pinned, common, trigger + 2 * pinned])] * 3
    advantage, opening = _best("layer", pinned[None], marked, unmarked)
    assert torch.equal(opening.free, trigger)
    assert torch.equal(opening.key, trigger + 2 * pinned)
    assert advantage == pytest.approx(opening.share) == pytest.approx(1 / 5**0.5)


def test_a_trigger_that_the_samples_span_has_no_advantage() -> None:
    pinned = torch.eye(2, 3, dtype=torch.float64)
    advantage, _ = _best("layer", pinned, [pinned] * 3, [pinned] * 3)
    assert advantage == float("-inf")
