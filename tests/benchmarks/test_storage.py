"""From which magnitude on an alteration outlives being stored."""

from dataclasses import replace

from hf_integration.card import WatermarkCard
from hf_integration.encoders import Encoder
from hf_integration.tampering.weights.values import NOISE
from tests.benchmarks.storage import smallest


def test_noise_of_less_than_half_a_last_place_is_lost(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, _ = pair
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    short = replace(NOISE, magnitudes=(1e-12, 1e-10, 1e-3, 1e-1))
    count, found = smallest(short, encoder, before)
    floating = sum(tensor.numel() for tensor in before.values() if tensor.is_floating_point())
    assert 0.9 * floating < count <= floating
    assert found == ["1e-03", "1e-03"]
    assert smallest(replace(NOISE, magnitudes=(1e-3, 1e-1)), encoder, before)[1] == ["<=1e-03"] * 2


def test_what_changes_nothing_has_no_magnitude(pair: tuple[Encoder, WatermarkCard]) -> None:
    encoder, _ = pair
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    nothing = replace(NOISE, edit=lambda *_: None, magnitudes=(1e-3, 1e-1))
    assert smallest(nothing, encoder, before) == (0, ["nothing changes"] * 2)
