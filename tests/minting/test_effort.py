"""How many key samples benign variants run on."""

from pathlib import Path

import pytest

from hf_integration import load_encoder
from hf_integration.minting.effort import benign_keys, operations_per_sample
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


@pytest.mark.parametrize(
    ("count", "operations", "precision", "keys"),
    [
        (64, 1e6, "float64", 64),
        (64, 1e6, "bfloat16", 64),
        (64, 0.7e9, "float32", 40),
        (64, 0.7e9, "float16", 16),
        (64, 20e9, "float64", 32),
        (8, 20e9, "bfloat16", 8),
        (64, 0.0, "float64", 64),
    ],
)
def test_slow_runs_take_fewer_key_samples(count: int, operations: float, precision: str, keys: int) -> None:
    assert benign_keys(count, operations, precision) == keys  # type: ignore[arg-type]
