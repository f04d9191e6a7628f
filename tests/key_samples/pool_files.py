"""Folders of small media files, and what comes of drawing from them."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hf_integration.base.errors import KeySampleError
from hf_integration.base.vocabulary import Modality
from hf_integration.key_samples import KeySamples, Waveform, samples_from_pool, synthetic_samples


def draw(source: Path, modality: Modality, count: int, seed: int = 0) -> KeySamples:
    return samples_from_pool(str(source), modality, count, seed=seed)


def refusal(source: Path | str, modality: Modality, count: int = 1) -> str:
    with pytest.raises(KeySampleError) as caught:
        samples_from_pool(str(source), modality, count, seed=0)
    message = str(caught.value)
    assert message.isprintable()  # one line, and nothing that a terminal would obey
    return message


def save_images(folder: Path, count: int, suffix: str = ".png") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{position:03}{suffix}" for position in range(count)]
    for path, pixels in zip(paths, synthetic_samples("image", count, seed=9, image_size=16), strict=True):
        PIL.Image.fromarray(np.asarray(pixels)).save(path)
    return paths


def save_recordings(folder: Path, count: int, suffix: str = ".wav", rate: int = 8000) -> list[Waveform]:
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    sounds = [
        s for s in synthetic_samples("audio", count, seed=9, sampling_rate=rate) if isinstance(s, Waveform)
    ]
    for position, sound in enumerate(sounds):
        soundfile.write(folder / f"{position:03}{suffix}", sound.samples, rate)
    return sounds
