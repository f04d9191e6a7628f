"""Passes that start at a layer give the same bits; weights come back to the bit; shares have an interval."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from hf_integration.authentication import Authenticator
from hf_integration.card import WatermarkCard
from hf_integration.coverage.sensitivity import Sensitivity
from hf_integration.encoders import Encoder, open_encoder
from tests.benchmarks import last_bit
from tests.benchmarks.floors.observation import observe
from tests.benchmarks.last_bit.checking import StrictCheck
from tests.benchmarks.last_bit.interval import wilson
from tests.benchmarks.last_bit.replay import Replay
from tests.benchmarks.last_bit.sampling import (
    covered_places,
    draw,
    last_bit_changed,
    weights_of,
)
from tests.encoders import tiny_models

Pair = tuple[Encoder, WatermarkCard]


def everywhere(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All places of all tensors."""
    return {name: torch.arange(tensor.numel()) for name, tensor in tensors.items()}


def inner(encoder: Encoder) -> dict[str, Tensor]:
    """Matrices and filters without the tables, of which few rows are looked up."""
    return {name: tensor for name, tensor in weights_of(encoder).items() if "embeddings" not in name}


@pytest.fixture(scope="module")
def check(pair: Pair) -> StrictCheck:
    return StrictCheck(*pair)


def test_an_unaltered_encoder_is_intact_and_a_last_bit_is_not(check: StrictCheck) -> None:
    assert not check.broken(None)
    drawn = draw(everywhere(inner(check.running)), 20, seed=0)
    assert len(drawn) == 20
    assert len(last_bit.misses(check, drawn)) <= 2
    assert not check.broken(None)  # everything is back to the bit


def test_it_finds_what_a_check_finds(pair: Pair, check: StrictCheck) -> None:
    encoder, card = pair
    for weight in draw(everywhere(inner(check.running)), 6, seed=1):
        altered = encoder.duplicate()
        with last_bit_changed(altered.tensors()[weight.tensor], weight.place):
            verdict = Authenticator(card=card, precision="float64").authenticate(altered).verdict
        intact = all(strip.intact for strip in verdict.strips)
        assert intact == (weight in last_bit.misses(check, [weight]))


@pytest.mark.parametrize("architecture", ["bert", "vit", "resnet", "whisper"])
def test_a_pass_from_a_layer_on_gives_the_same_bits(
    architecture: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tiny_models.save(architecture, tmp_path_factory.mktemp(architecture))
    encoder = open_encoder(folder, name=architecture, device="cpu").at_precision("float64")
    samples = tiny_models.samples(encoder.modality)
    replay = Replay(encoder.model)
    with replay.recording(0):
        observe(encoder, samples, seed=0)
    tensors = inner(encoder)
    assert len({replay.part_of(name) for name in tensors}) >= 2
    for weight in draw(everywhere(tensors), 12, seed=0):
        with last_bit_changed(tensors[weight.tensor], weight.place):
            whole = observe(encoder, samples, seed=0)
            with replay.starting_at(replay.part_of(weight.tensor), 0):
                started = observe(encoder, samples, seed=0)
        assert torch.equal(whole.embeddings, started.embeddings)
        assert all(torch.equal(found, started.sketches[strip]) for strip, found in whole.sketches.items())


def test_what_comes_before_is_not_computed(pair: Pair, check: StrictCheck) -> None:
    calls: list[str] = []
    layers = [name for name in check.replay.parts if ".layer." in name]
    for name in layers:
        attention = check.replay.parts[name].get_submodule("attention")
        attention.register_forward_hook(lambda *_, name=name: calls.append(name))
    check.broken(layers[-1])
    assert set(calls) == {layers[-1]}


def test_only_covered_weights_are_drawn(check: StrictCheck) -> None:
    tensors = {"w": torch.full((2, 3), 2.0)}
    reaction = torch.tensor([[0.0, 9.0, 4.9], [5.1, 0.0, 0.0]])  # covered from 1 / (0.1 * 2) on
    places = covered_places(tensors, Sensitivity({"w": reaction}))
    assert places["w"].tolist() == [1, 3]
    assert {weight.place for weight in draw(places, 9, seed=0)} == {1, 3}
    assert covered_places(weights_of(check.running), Sensitivity()) == {}


def test_weights_are_drawn_evenly_over_scalars() -> None:
    tensors = {"small": torch.zeros(10, 10), "large": torch.zeros(90, 10)}
    drawn = draw(everywhere(tensors), 500, seed=0)
    assert len(set(drawn)) == 500
    assert sum(weight.tensor == "small" for weight in drawn) == pytest.approx(50, abs=20)
    assert len(draw(everywhere(tensors), 5_000, seed=0)) == 1_000


def test_the_last_bit_changes_and_comes_back() -> None:
    tensor = torch.tensor([[1.0, -0.3]]).double()
    before = tensor.clone()
    with last_bit_changed(tensor, 1):
        assert float((tensor - before).abs()[0, 1]) == pytest.approx(2**-25)
        assert tensor[0, 0] == before[0, 0]
        assert torch.equal(tensor.float().double(), tensor)
    assert torch.equal(tensor, before)


def test_the_interval_of_a_share() -> None:
    low, high = wilson(119, 120)
    assert (low, high) == pytest.approx((0.9543, 0.9985), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == 1.0
