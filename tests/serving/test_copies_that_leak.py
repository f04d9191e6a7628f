"""Trusted copies that padding changes: batches may stand in for single texts only once that was tried."""

from pathlib import Path

import pytest
import torch

from hf_integration import load_encoder
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.key_samples.samples import KeySamples
from hf_integration.serving.recipe import PLAIN
from hf_integration.serving.sources import CopySource
from hf_integration.serving.yardstick import TOGETHER, measure
from tests.encoders import tiny_models

TEXTS = KeySamples(tiny_models.TEXTS * 2, origin="test")


def opened(name: str, folder: Path) -> TorchEncoder:
    encoder = load_encoder(str(tiny_models.save(name, folder)), device="cpu")
    assert isinstance(encoder, TorchEncoder)
    return encoder


def one_by_one(encoder: TorchEncoder) -> torch.Tensor:
    strict = encoder.at_precision("float64")
    return torch.cat([strict.embed([text]) for text in TEXTS])


@pytest.mark.parametrize("name", [*tiny_models.LEAKING, "bert"])
def test_the_exact_run_is_that_of_single_texts(name: str, tmp_path: Path) -> None:
    encoder = opened(name, tmp_path)
    wanted = one_by_one(encoder)
    source = CopySource(encoder)
    for found in (measure(encoder, PLAIN, TEXTS).exact, source.measure(PLAIN, TEXTS).exact):
        assert torch.allclose(found, wanted, rtol=0, atol=1e-12)
    source.key_samples(4, ascii_only=False)
    assert torch.allclose(source.measure(PLAIN, TEXTS).exact, wanted, rtol=0, atol=1e-12)


def test_a_batch_would_not_be_the_same(tmp_path: Path) -> None:
    encoder = opened("convbert", tmp_path)
    assert not torch.allclose(
        measure(encoder, PLAIN, TEXTS, together=TOGETHER).exact, one_by_one(encoder), rtol=0, atol=1e-6
    )
