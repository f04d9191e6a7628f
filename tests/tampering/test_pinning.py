"""A backdoor that pins samples: the heavier the pin, the less they move."""

from collections.abc import Callable

import pytest
import torch

from hf_integration.encoders import Encoder
from hf_integration.tampering.backdoor import measure_effect
from tests.benchmarks.attackers.pinning import PinnedBackdoor, deviation, strips_of
from tests.encoders import tiny_models

EncoderOf = Callable[[str], Encoder]


def _deviation(encoder: Encoder, altered: Encoder) -> float:
    samples = tiny_models.samples(encoder.modality)
    before, now = (strips_of(e, samples, gradient=False) for e in (encoder, altered))
    return float(deviation(before, now).sqrt())


@pytest.mark.parametrize("name", ["bert", "resnet"])
def test_pinned_samples_move_less_the_heavier_the_pin(encoder_of: EncoderOf, name: str) -> None:
    encoder = encoder_of(name)
    samples = tiny_models.samples(encoder.modality)
    altered = {
        weight: PinnedBackdoor(samples, weight, 20, learning_rate=2e-3, pinned_at_once=2)(encoder)
        for weight in (0.0, 1e4)
    }
    free, pinned = (_deviation(encoder, copy) for copy in altered.values())
    assert 0 < pinned < 0.5 * free
    effect = measure_effect(encoder, altered[0.0])
    assert effect.after > effect.before


def test_the_encoder_stays_and_the_seed_decides(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("bert")
    before = {name: tensor.clone() for name, tensor in encoder.tensors().items()}
    first, again = (PinnedBackdoor(tiny_models.TEXTS, 1.0, 3)(encoder).tensors() for _ in range(2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.tensors().items())
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, before[name]) for name, tensor in first.items())


def test_deviation_is_relative_and_squared() -> None:
    before = [{"a": torch.tensor([[3.0, 4.0]]), "b": torch.tensor([[1.0, 0.0]])}]
    now = [{"a": torch.tensor([[3.0, 5.0]]), "b": torch.tensor([[1.0, 0.0]])}]
    assert float(deviation(before, now)) == pytest.approx(0.5 / 25)
