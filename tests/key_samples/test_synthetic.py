import unicodedata

import numpy as np
import pytest

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples import KeySamples, Waveform, encode_samples, synthetic_samples
from hf_integration.key_samples.synthetic_audio import LONGEST_COLLAGE, synthetic_waveform
from hf_integration.key_samples.synthetic_images import PATTERNS

MODALITIES: tuple[Modality, ...] = ("text", "image", "audio")


def images(samples: KeySamples) -> list[np.ndarray]:
    return [sample for sample in samples if isinstance(sample, np.ndarray)]


def waveforms(samples: KeySamples) -> list[Waveform]:
    return [sample for sample in samples if isinstance(sample, Waveform)]


# A card made years ago is minted again from its seed: these may only change with the schema version.
@pytest.mark.parametrize(
    ("modality", "digest"),
    [
        ("text", "dc1a82a92be631c279bbf23dbb37672028709c76a12e9e761e078e0b4c33fa16"),
        ("image", "e33701e3db8a2ab284ede5999cb47e055538fcfcf27f4d2c91625a1a43960c46"),
        ("audio", "6bb8e1487502d8cf7ab80b5b947081c33ed4875214bbde4199c1c046cd3444a6"),
    ],
)
def test_the_pools_are_the_ones_they_were(modality: Modality, digest: str) -> None:
    assert synthetic_samples(modality, 16, seed=0).digest() == digest


def test_small_images_and_slow_audio_are_the_ones_they_were() -> None:
    small = synthetic_samples("image", 8, seed=1, image_size=32)
    slow = synthetic_samples("audio", 5, seed=1, sampling_rate=8000)
    assert small.digest() == "afcb43ad4f4597b373a0ea15258c8de8146ef20c652cd230f54e90ef5f26e2be"
    assert slow.digest() == "e0088f3a89f11de3c9de92e23e5f5131e78f8ec86bad299d7a5e1aa769ad9b21"


@pytest.mark.parametrize("modality", MODALITIES)
class TestEveryModality:
    def test_the_same_seed_gives_the_same_samples(self, modality: Modality) -> None:
        first = synthetic_samples(modality, 10, seed=7)
        assert first.digest() == synthetic_samples(modality, 10, seed=7).digest()
        assert first.digest() != synthetic_samples(modality, 10, seed=8).digest()

    def test_a_smaller_set_is_the_beginning_of_a_larger_one(self, modality: Modality) -> None:
        larger = synthetic_samples(modality, 12, seed=7)
        assert KeySamples(larger[:5], origin="").digest() == synthetic_samples(modality, 5, seed=7).digest()

    def test_all_samples_are_different(self, modality: Modality) -> None:
        samples = synthetic_samples(modality, 64, seed=3)
        assert len({KeySamples([sample], origin="").digest() for sample in samples}) == len(samples) == 64

    def test_the_origin_names_the_seed(self, modality: Modality) -> None:
        assert synthetic_samples(modality, 1, seed=5).origin == f"synthetic {modality}, seed 5"

    def test_no_samples_are_refused(self, modality: Modality) -> None:
        with pytest.raises(KeySampleError, match="0 key samples"):
            synthetic_samples(modality, 0, seed=0)


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(KeySampleError, match="unknown modality 'video'"):
        synthetic_samples("video", 1, seed=0)  # type: ignore[arg-type]


def test_texts_are_varied_and_short() -> None:
    texts = [str(sample) for sample in synthetic_samples("text", 64, seed=0)]
    words = sorted(len(text.split()) for text in texts)
    scripts = {
        unicodedata.name(letter, "?").split()[0] for text in texts for letter in text if letter.isalpha()
    }
    assert words[0] <= 3
    assert 30 <= words[-1] <= 50
    assert 7 <= words[32] <= 13
    assert len(scripts) >= 7
    assert any(text.isupper() for text in texts)
    assert any(letter.isdigit() for text in texts for letter in text)
    assert all(text == text.strip() for text in texts)


@pytest.mark.parametrize(("asked", "given"), [(8, 8), (32, 32), (224, 224), (518, 224)])
def test_images_have_the_size_that_was_asked_for_up_to_a_cap(asked: int, given: int) -> None:
    for pixels in images(synthetic_samples("image", len(PATTERNS), seed=0, image_size=asked)):
        assert pixels.shape == (given, given, 3)
        assert pixels.dtype == np.uint8


def test_images_excite_every_frequency_in_every_channel() -> None:
    stack = np.stack(images(synthetic_samples("image", 64, seed=0, image_size=64))).astype(float)
    spectrum = np.abs(np.fft.fft2(stack - stack.mean((1, 2), keepdims=True), axes=(1, 2))).max(0)
    spectrum[0, 0] = np.inf
    assert spectrum.min() > 64 * 10  # ten grey levels times the square root of the number of pixels


def test_a_set_of_images_is_small_as_png() -> None:
    assert sum(map(len, encode_samples(synthetic_samples("image", 64, seed=0)))) < 500_000


def test_too_small_images_are_refused() -> None:
    with pytest.raises(KeySampleError, match="of 7 pixels"):
        synthetic_samples("image", 1, seed=0, image_size=7)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_waveforms_have_four_lengths_and_sound(rate: int) -> None:
    sounds = waveforms(synthetic_samples("audio", 20, seed=0, sampling_rate=rate))
    assert {len(sound.samples) / rate for sound in sounds} == {0.5, 0.8, 1.1, 1.5}
    assert {sound.sampling_rate for sound in sounds} == {rate}
    assert all(
        sound.samples.dtype == np.int16 and np.ptp(sound.samples.astype(int)) > 2000 for sound in sounds
    )


def test_waveforms_excite_every_band() -> None:
    sounds = waveforms(synthetic_samples("audio", 64, seed=0))
    power = sum(np.abs(np.fft.rfft(sound.samples / 32768, 32768)) ** 2 for sound in sounds)
    bands = np.asarray(power)[:16384].reshape(64, -1).mean(1)
    assert 10 * np.log10(bands.max() / bands.min()) < 40  # decibels


def test_a_set_of_waveforms_is_small_when_compressed() -> None:
    assert sum(map(len, encode_samples(synthetic_samples("audio", 64, seed=0)))) < 700_000


@pytest.mark.parametrize("rate", [3999, 48001])
def test_unusual_sampling_rates_are_refused(rate: int) -> None:
    with pytest.raises(KeySampleError, match=f"at {rate} Hz"):
        synthetic_samples("audio", 1, seed=0, sampling_rate=rate)


def test_a_collage_is_as_long_as_asked_for_and_full_of_sound() -> None:
    short, long = (synthetic_waveform(3, seed=0, seconds=seconds) for seconds in (2.0, 99.0))
    assert len(short.samples) == 2 * short.sampling_rate
    assert len(long.samples) == LONGEST_COLLAGE * long.sampling_rate
    seconds = np.abs(long.samples[: 30 * 16000].astype(int)).reshape(30, -1).max(1)
    assert (seconds > 1000).mean() > 0.9
    again = synthetic_waveform(3, seed=0, seconds=2.0)
    assert np.array_equal(short.samples, again.samples)
    assert not np.array_equal(short.samples, synthetic_waveform(4, seed=0, seconds=2.0).samples)
