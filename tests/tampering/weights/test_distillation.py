"""A student: another encoder that learned to embed alike."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.tampering.weights import fine_tuning as distillation
from hf_integration.tampering.weights.fine_tuning import DISTILLED

EncoderOf = Callable[[str], Encoder]


def _away(encoder: Encoder, student: Encoder) -> float:
    samples = list(synthetic_samples(encoder.modality, 4, seed=77))
    teacher, learned = encoder.embed(samples), student.embed(samples)
    return float(1 - F.cosine_similarity(teacher.double(), learned.double()).mean())


@pytest.mark.parametrize("name", ["bert", "vit", "resnet", "wav2vec2"])
def test_the_student_learned_what_it_was_not_shown(
    encoder_of: EncoderOf, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(name)
    trained = _away(encoder, DISTILLED.at(1.0)(encoder))
    monkeypatch.setattr(distillation, "RATE", 0.0)
    untrained = _away(encoder, DISTILLED.at(1.0)(encoder))
    assert 0 < trained < 0.8 * untrained


def test_a_student_that_starts_nearer_ends_nearer(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("resnet")
    assert _away(encoder, DISTILLED.at(0.01)(encoder)) < _away(encoder, DISTILLED.at(0.1)(encoder))


def test_only_matrices_and_filters_are_another_student_s(encoder_of: EncoderOf) -> None:
    encoder = encoder_of("resnet")
    after = DISTILLED.at(0.1)(encoder).tensors()
    for name, tensor in encoder.tensors().items():
        assert torch.equal(tensor, after[name]) == (tensor.dim() < 2), name
