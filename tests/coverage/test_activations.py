"""What samples wake in an encoder."""

from pathlib import Path

import pytest
import torch

from hf_integration import load_encoder
from hf_integration.base.progress import Silent
from hf_integration.coverage.choosing import largest_activations
from tests.encoders import tiny_models


@pytest.mark.parametrize("architecture", ["bert", "vit", "resnet", "swin", "wav2vec2", "whisper"])
def test_each_sample_gets_a_row_that_does_not_depend_on_the_others(architecture: str, tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny_models.save(architecture, tmp_path)), device="cpu")
    samples = tiny_models.samples(encoder.modality)
    found = largest_activations(encoder, samples, progress=Silent())
    turned = largest_activations(encoder, samples[::-1], progress=Silent())
    assert found.shape[0] == len(samples)
    assert found.shape[1] > 10
    assert torch.allclose(found, turned.flip(0), rtol=1e-4, atol=1e-6)
    assert encoder.in_process_changes() == ()


def test_a_dead_channel_is_zero(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny_models.save("bert", tmp_path)), device="cpu")
    layer = encoder.model.encoder.layer[0].intermediate.dense
    with torch.no_grad():
        layer.weight[3] = 0
        layer.bias[3] = 0  # GELU of zero is zero
    found = largest_activations(encoder, tiny_models.TEXTS, progress=Silent())
    assert int((found == 0).all(0).sum()) == 1
