"""Key samples made for one encoder."""

from pathlib import Path

import pytest

from hf_integration import load_encoder
from hf_integration.base.progress import Silent
from hf_integration.coverage.choosing import (
    choose,
    chosen_samples,
    image_size,
    largest_activations,
    swept_samples,
)
from hf_integration.encoders import Encoder
from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import KeySamples, Waveform
from tests.encoders import tiny_models


def tiny(architecture: str, folder: Path) -> Encoder:
    return load_encoder(str(tiny_models.save(architecture, folder)), device="cpu")


@pytest.mark.parametrize(
    ("side", "size"), [(None, 224), (32, 64), (112, 224), (128, 224), (224, 192), (384, 224), (2, 8)]
)
def test_key_images_are_never_of_the_size_that_the_processor_makes_them(side: int | None, size: int) -> None:
    assert image_size(side) == size != side


@pytest.mark.parametrize("architecture", ["resnet", "vit", "wav2vec2"])
def test_what_is_chosen_wakes_more_than_what_comes_first(architecture: str, tmp_path: Path) -> None:
    encoder = tiny(architecture, tmp_path)
    chosen = chosen_samples(encoder, 4, seed=0, progress=Silent())
    again = chosen_samples(encoder, 4, seed=0, progress=Silent())
    other = chosen_samples(encoder, 4, seed=1, progress=Silent())
    assert chosen.digest() == again.digest() != other.digest()
    assert "chosen among" in chosen.origin
    first = list(synthetic_samples(encoder.modality, 4, seed=0, image_size=image_size(encoder.side)))
    rows = largest_activations(encoder, [*chosen, *first], progress=Silent())
    # the same samples, or other ones that wake at least as much together
    total_chosen, total_first = rows[:4].clamp(max=0.1).sum(0), rows[4:].clamp(max=0.1).sum(0)
    assert float((total_chosen + 1e-9).log().sum()) >= float((total_first + 1e-9).log().sum())
    assert len(choose(rows, 4, [1.0] * 8)) == 4


def test_an_encoder_that_computes_on_a_window_gets_recordings_that_fill_it(tmp_path: Path) -> None:
    encoder = tiny("whisper", tmp_path)
    assert encoder.window is not None
    for sample in chosen_samples(encoder, 2, seed=0, progress=Silent()):
        assert isinstance(sample, Waveform)
        assert len(sample.samples) == encoder.window * sample.sampling_rate


def test_texts_are_taken_as_they_come_and_swept_only_on_request(tmp_path: Path) -> None:
    encoder = tiny("bert", tmp_path)
    chosen = chosen_samples(encoder, 5, seed=3, progress=Silent())
    assert list(chosen) == list(synthetic_samples("text", 5, seed=3))
    swept, unreachable = swept_samples(encoder, chosen, seed=3)
    assert unreachable is not None
    assert 0 <= unreachable < encoder.processor.vocab_size
    assert list(swept)[:5] == list(chosen)
    assert len(swept) > 5
    images = KeySamples(tiny_models.images(2), origin="test")
    assert swept_samples(tiny("vit", tmp_path / "vit"), images, seed=0) == (images, None)
