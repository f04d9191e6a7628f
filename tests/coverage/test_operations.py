"""Counting what one sample takes."""

from pathlib import Path

import pytest

from hf_integration import load_encoder
from hf_integration.coverage.choosing import operations_per_sample
from tests.encoders import tiny_models


@pytest.mark.parametrize("architecture", ["bert", "vit", "resnet", "wav2vec2", "whisper"])
def test_operations_are_counted_alike_every_time_and_leave_no_hook(architecture: str, tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny_models.save(architecture, tmp_path)), device="cpu")
    samples = tiny_models.samples(encoder.modality)
    counted = operations_per_sample(encoder, samples)
    assert counted == operations_per_sample(encoder, samples) > 1000
    assert encoder.in_process_changes() == ()


def test_a_linear_layer_counts_two_operations_for_each_weight_and_position(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny_models.save("bert", tmp_path)), device="cpu")
    positions = len(encoder.processor(["sea"])["input_ids"][0])
    layers = 2 * (4 * 32 * 32 + 2 * 32 * 37)  # four projections and two of the feed-forward block, twice
    pooler = 32 * 32  # of the first position alone
    assert operations_per_sample(encoder, ["sea"]) == 2 * (layers * positions + pooler)
