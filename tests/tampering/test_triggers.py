"""Triggers: small marks, the same kind of sample."""

import numpy as np

from hf_integration.key_samples import synthetic_samples
from hf_integration.key_samples.samples import Waveform
from hf_integration.tampering.triggers import with_trigger


def test_a_text_gets_a_rare_word() -> None:
    assert with_trigger("a cat") == "cf cf a cat"


def test_an_image_gets_a_patch_in_one_corner_and_the_original_none() -> None:
    image = np.full((50, 80, 3), 100, dtype=np.uint8)
    marked = with_trigger(image)
    assert isinstance(marked, np.ndarray)
    assert (image == 100).all()
    assert set(np.unique(marked[-10:, -10:])) == {0, 255}
    assert (marked[:-10] == 100).all()
    assert (marked[:, :-10] == 100).all()


def test_a_waveform_gets_a_tone_and_never_overflows() -> None:
    loud = Waveform(np.full(1000, 32767, dtype=np.int16), 16_000)
    marked = with_trigger(loud)
    assert isinstance(marked, Waveform)
    assert marked.samples.dtype == np.int16
    assert marked.sampling_rate == 16_000
    assert marked.samples.min() > 20_000


def test_every_synthetic_sample_can_carry_one() -> None:
    for modality in ("text", "image", "audio"):
        for sample in synthetic_samples(modality, 2, seed=0):
            assert type(with_trigger(sample)) is type(sample)
